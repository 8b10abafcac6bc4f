import type { Breakdown, Tags } from '../src/api/types.ts'
import { expect, test } from './fixtures.ts'

test('offers the tags that calls carry', async ({ page, api }) => {
  const { keys } = await api.get<Tags>(`/tags?${api.range}`)
  const key = keys[0]!
  await page.goto(`/attribution?${api.range}`)
  await page.getByRole('button', { name: /^By/ }).click()
  const tags = page.getByRole('menu', { name: 'Tags' })
  await expect(tags.getByRole('menuitemradio')).toHaveText(keys.map((k) => `tag.${k}`))
  await page.getByLabel('Attribute to a tag').fill('no such tag')
  await expect(page.getByText('No such tag in this range')).toBeVisible()
  await page.getByLabel('Attribute to a tag').fill(key.slice(0, 3).toUpperCase())
  await tags.getByRole('menuitemradio', { name: `tag.${key}`, exact: true }).click()
  await expect(page).toHaveURL(new RegExp(`dimension=tag.${key}`))
  const { rows } = await api.get<Breakdown>(`/breakdown?by=tag.${key}&limit=5&${api.range}`)
  const { value } = rows.find((row) => row.value !== null)!
  await expect(page.getByRole('main').getByRole('link', { name: value! }).first()).toBeVisible()
})

test('offers them to filters too', async ({ page, api }) => {
  const { keys } = await api.get<Tags>(`/tags?${api.range}`)
  await page.goto(`/?${api.range}`)
  await page.getByRole('button', { name: 'Filter', exact: true }).click()
  await page.keyboard.type(keys[0]!.slice(0, 3))
  await page.getByRole('option', { name: `tag.${keys[0]}`, exact: true }).click()
  await page.getByRole('option').first().click()
  await expect(page).toHaveURL(new RegExp(`tag.${keys[0]}=`))
})
