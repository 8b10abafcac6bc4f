import { expect, it } from 'vitest'

import { csv } from './csv.ts'

it('quotes what needs it and disarms formulas', () => {
  const rows = [
    ['plain', 1, null],
    ['a "b", c\nd', '12.5', '-0.5'],
    ['=1+1', '@x', '+cmd'],
  ]
  expect(csv(['name', 'n', 'x'], rows)).toBe(
    'name,n,x\r\nplain,1,\r\n"a ""b"", c\nd",12.5,-0.5\r\n\'=1+1,\'@x,\'+cmd\r\n',
  )
})
