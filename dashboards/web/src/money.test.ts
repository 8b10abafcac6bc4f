import { describe, expect, it } from 'vitest'

import { parseUsd, printUsd, ratio, roundTo, sumUsd } from './money.ts'

describe('money', () => {
  it('reads and prints exact decimals', () => {
    for (const text of [
      '0',
      '0.000000000001',
      '0.0290025',
      '-12.5',
      '9223372036.854775808',
      '-9223372.036854775808',
    ]) {
      expect(printUsd(parseUsd(text))).toBe(text)
    }
    expect(parseUsd('1.50')).toBe(1_500_000_000_000n)
  })

  it('refuses what is no amount', () => {
    for (const text of ['', '1e3', 'NaN', '.5', '1.', '1.0000000000001', '1,000', ' 1']) {
      expect(() => parseUsd(text)).toThrow(RangeError)
    }
  })

  it('adds exactly where floats do not', () => {
    expect(0.1 + 0.2).not.toBe(0.3)
    expect(printUsd(sumUsd(['0.1', '0.2']))).toBe('0.3')
    expect(printUsd(sumUsd(Array.from({ length: 1000 }, () => '0.000000000001')))).toBe('0.000000001')
  })

  it('rounds half away from zero', () => {
    expect(roundTo(parseUsd('0.125'), 2)).toBe(13n)
    expect(roundTo(parseUsd('-0.125'), 2)).toBe(-13n)
    expect(roundTo(parseUsd('0.1249'), 2)).toBe(12n)
  })

  it('divides to a share', () => {
    expect(ratio(1n, 4n)).toBe(0.25)
    expect(ratio(1n, 0n)).toBeNull()
  })
})
