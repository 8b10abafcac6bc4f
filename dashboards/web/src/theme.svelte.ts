// Light or dark: the system's choice until the user makes another.

const KEY = 'costflame.theme'
const system = matchMedia('(prefers-color-scheme: dark)')

function stored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

class Theme {
  dark = $state(document.documentElement.dataset.theme === 'dark')

  constructor() {
    system.addEventListener('change', () => {
      if (!stored()) this.set(system.matches)
    })
  }

  toggle() {
    this.set(!this.dark)
    try {
      localStorage.setItem(KEY, this.dark ? 'dark' : 'light')
    } catch {
      // Storage may be forbidden; the choice then lasts until the page is left.
    }
  }

  private set(dark: boolean) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light'
    this.dark = dark
  }
}

export const theme = new Theme()

/** The present value of a CSS token, for what is drawn on a canvas. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
