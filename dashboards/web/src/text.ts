// Names come from other people's programs: any length, any character. They are shown as text, made visible and cut.

/** Control and direction-changing characters, which would hide or reorder what stands beside them. */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/gu

const LONGEST = 300

/** The C0 controls as their pictures, other invisible characters as a box; at most `longest` characters. */
export function visible(name: string, longest = LONGEST): string {
  const cut = name.length > longest ? `${wholeCharacters(name, longest)}…` : name
  return cut.replace(INVISIBLE, (c) => {
    const code = c.codePointAt(0)!
    if (code === 0x200d) return c // joins emoji
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : '␣'
  })
}

/** The first `length` code units at most, never half a character. */
export function wholeCharacters(text: string, length: number): string {
  const code = text.charCodeAt(length - 1)
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? length - 1 : length)
}

/** What to show for a label that may be empty. */
export function named(name: string | null, absent = '(unnamed)'): string {
  return name ? visible(name) : absent
}
