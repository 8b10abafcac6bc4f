import { describe, expect, it } from 'vitest'

import {
  amount,
  change,
  compact,
  coverage,
  duration,
  exactMoney,
  integer,
  money,
  moneyColumn,
  percent,
  signedMoney,
} from './format.ts'
import { parseUsd } from './money.ts'

const usd = parseUsd
const plain = (text: string) => text.replaceAll('\u00a0', ' ')

describe('money', () => {
  it('has two to four significant digits', () => {
    const cases: [string, string][] = [
      ['0', '$0'],
      ['14059.71', '$14,060'],
      ['5426.4', '$5,426'],
      ['9999.6', '$10,000'],
      ['263.49', '$263'],
      ['99.96', '$100.0'],
      ['92.46', '$92.5'],
      ['4.249', '$4.25'],
      ['0.84', '$0.84'],
      ['0.41312', '$0.4131'],
      ['0.0486', '$0.0486'],
      ['0.00063', '$0.00063'],
      ['0.0000082', '$0.0000082'],
      ['0.000000000001', '$0.000000000001'],
      ['-0.0082', '−$0.0082'],
      ['1234567.8', '$1,235,000'],
    ]
    for (const [value, text] of cases) expect(money(value)).toBe(text)
  })

  it('is signed with a true minus', () => {
    expect(signedMoney(usd('1699.4'))).toBe('+$1,699')
    expect(signedMoney(usd('-231'))).toBe('−$231')
    expect(signedMoney(0n)).toBe('$0')
  })

  it('is exact where sums are checked', () => {
    expect(exactMoney('0.0661458')).toBe('$0.0661458')
    expect(exactMoney('-1234.5')).toBe('−$1,234.5')
  })

  it('stands in line in a column', () => {
    const values = ['0.4131', '0', '0.00063', '0.0000082', '0.07'].map(usd)
    const column = moneyColumn(values)
    const cells = values.map(column.format)
    expect(cells.map((c) => c.text)).toEqual(['0.4131', '0', '0.00063', '0.0000082', '0.0700'])
    expect(new Set(cells.map((c) => (c.text + c.pad).split('.')[1]!.length))).toEqual(new Set([7]))
  })

  it('keeps a column of large amounts narrow', () => {
    const values = ['4981.2', '0.3312', '0.0001', '64.2'].map(usd)
    const column = moneyColumn(values, 2)
    expect(values.map((v) => column.format(v).text)).toEqual(['4,981', '0.33', '<0.01', '64'])
  })

  it('formats an empty column', () => {
    expect(moneyColumn([]).format(0n)).toEqual({ text: '0', pad: '' })
  })

  it('says changes relative to what was before', () => {
    expect(plain(change(usd('14059'), usd('12360')))).toBe('+13.7 %')
    expect(plain(change(usd('10'), usd('12.1')))).toBe('−17.4 %')
    expect(plain(change(0n, 0n))).toBe('0.0 %')
    expect(change(1n, 0n)).toBe('new')
    expect(plain(change(usd('30'), usd('1')))).toBe('× 30')
  })
})

describe('counts', () => {
  it('groups thousands', () => {
    expect(integer(1259859)).toBe('1,259,859')
    expect(integer(-999)).toBe('−999')
    expect(integer(12345678901234567890n)).toBe('12,345,678,901,234,567,890')
  })

  it('shortens to three digits', () => {
    const cases: [number, string][] = [
      [7205, '7,205'],
      [12345, '12.3 k'],
      [999_600, '1.00 M'],
      [10_500_000, '10.5 M'],
      [327_000_000, '327 M'],
      [1_610_000_000, '1.61 G'],
      [0, '0'],
    ]
    for (const [n, text] of cases) expect(plain(compact(n))).toBe(text)
  })

  it('writes shares with a space', () => {
    expect(plain(percent(0.3541))).toBe('35.4 %')
    expect(plain(percent(1))).toBe('100 %')
    expect(plain(percent(-0.174))).toBe('−17.4 %')
    expect(percent(null)).toBe('–')
  })

  it('never rounds coverage up to complete', () => {
    expect(plain(coverage(0.99999))).toBe('99.9 %')
    expect(plain(coverage(1))).toBe('100 %')
    expect(coverage(null)).toBe('–')
  })
})

describe('durations', () => {
  it('choose their unit', () => {
    const cases: [number, string][] = [
      [0, '0 ms'],
      [420, '0.42 ms'],
      [900_000, '900 ms'],
      [999_600, '1.00 s'],
      [18_420_000, '18.42 s'],
      [185_000_000, '3 min 05 s'],
      [7_800_000_000, '2 h 10 min'],
      [259_200_000_000, '3 d 0 h'],
    ]
    for (const [us, text] of cases) expect(plain(duration(us))).toBe(text)
  })
})

it('amount keeps four digits above ten thousand', () => {
  expect(amount(usd('14059.71'))).toBe('14,060')
})
