// Logging in, and what an admin does on the page Access. Needs a server that asks who it is, with the users `root` (admin of all
// projects) and `viewer` (of `default`), whose passwords are "NAME's password", and with the provider of tests/openid, of which `bob` is
// a viewer, and `mallory` nobody.

import type { Page } from '@playwright/test'

import { expect, test } from './fixtures.ts'
import { violations } from './violations.ts'

const url = process.env.COSTFLAME_LOGIN_URL
test.skip(!url, 'COSTFLAME_LOGIN_URL names no server that asks who it is')
// The browser itself reports refused requests on the console.
test.use({ baseURL: url, allowed: /Failed to load resource: the server responded with a status of 40[019]/ })

async function logIn(page: Page, name: string) {
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(`${name}'s password`)
  await page.getByRole('button', { name: 'Log in' }).click()
}

const account = (page: Page, name: string) => page.getByRole('button', { name: `Account of ${name}` })

test('leads to the login and back, and out again', async ({ page, context }) => {
  await page.goto('/models?range=7d')
  await expect(page.getByRole('heading', { name: 'Log in to costflame' })).toBeVisible()
  await expect(page.getByLabel('Name')).toBeFocused()
  await page.getByLabel('Name').fill('root')
  await page.getByLabel('Password').fill('not the password')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).toHaveText('The name or the password is wrong.')
  await expect(page.getByLabel('Password')).toBeFocused()
  await logIn(page, 'root')
  await expect(page).toHaveURL(`${url}/models?range=7d`)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Models and prices')

  const [cookie] = await context.cookies()
  expect(cookie).toMatchObject({ name: 'costflame', httpOnly: true, sameSite: 'Strict', path: '/' })
  expect(await page.evaluate(() => document.cookie)).toBe('')

  await account(page, 'root').click()
  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page).toHaveURL(`${url}/login`)
  await page.goto('/models?range=7d')
  await expect(page).toHaveURL(/\/login\?to=/)
})

for (const elsewhere of ['https://evil.example/', '/%09/evil.example/'])
  test(`a link to the login leads nowhere else: ${elsewhere}`, async ({ page }) => {
    await page.goto(`/login?to=${elsewhere}`)
    await logIn(page, 'viewer')
    await expect(page).toHaveURL(`${url}/`)
  })

/** Logs in at the provider, whose pages want a font from elsewhere. */
async function continueAs(page: Page, name: string) {
  await page.route('https://fonts.googleapis.com/**', (route) => route.fulfill({ contentType: 'text/css' }))
  await page.getByRole('link', { name: 'Continue with the House' }).click()
  await page.getByPlaceholder('Enter any login').fill(name)
  await page.getByPlaceholder('and password').fill('x')
  await page.getByRole('button', { name: 'Sign-in' }).click()
  await page.getByRole('button', { name: 'Continue' }).click()
}

test('people of the provider come back to the page they wanted', async ({ page, context }) => {
  await page.goto('/models?range=7d')
  await continueAs(page, 'bob')
  await expect(page).toHaveURL(`${url}/models?range=7d`)
  await expect(account(page, 'Bob')).toBeVisible()
  const cookies = await context.cookies(url)
  expect(cookies.map((cookie) => cookie.name)).toEqual(['costflame'])
  await page.reload()
  await expect(account(page, 'Bob')).toBeVisible()
})

test('who has no role hears it, and may log in with a password', async ({ page }) => {
  await page.goto('/models?range=7d')
  await continueAs(page, 'mallory')
  await expect(page.getByRole('alert')).toHaveText(/you have no role here/)
  expect(await violations(page)).toEqual([])
  await logIn(page, 'viewer')
  await expect(page).toHaveURL(`${url}/models?range=7d`)
})

test('a viewer has no page for admins and shares no view', async ({ page }) => {
  await page.goto('/access')
  await logIn(page, 'viewer')
  await expect(page.getByText('This page is for admins.')).toBeVisible()
  await expect(page.getByRole('navigation', { name: 'Pages' }).getByText('Access')).toHaveCount(0)
  await page.goto('/')
  await page.getByTitle('Views kept under a name').click()
  await expect(page.getByLabel('Name of this view')).toBeVisible()
  await expect(page.getByLabel('for everybody in this project')).toHaveCount(0)
})

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme })

    test('an admin looks after users, keys and sessions', async ({ page }) => {
      await page.goto('/')
      await expect(page.getByRole('heading', { name: 'Log in to costflame' })).toBeVisible()
      expect(await violations(page)).toEqual([])
      await logIn(page, 'root')
      await page.getByRole('navigation', { name: 'Pages' }).getByText('Access').click()
      const users = page.getByRole('region', { name: 'Users' })
      const name = `carol-${colorScheme}`

      await users.getByLabel('Name', { exact: true }).fill(name)
      await users.getByLabel('Password', { exact: true }).fill('a good password')
      await users.getByRole('button', { name: 'Make' }).click()
      await expect(users.getByRole('cell', { name, exact: true })).toBeVisible()
      await users.getByLabel(`Role of ${name}`).selectOption('editor')
      await users.getByLabel('Name', { exact: true }).fill(name)
      await users.getByLabel('Password', { exact: true }).fill('a good password')
      await users.getByRole('button', { name: 'Make' }).click()
      await expect(users.getByRole('alert')).toHaveText('There is a user of this name.')
      await users.getByRole('button', { name: `Remove ${name}` }).click()
      await users.getByRole('button', { name: `Really Remove ${name}` }).click()
      await expect(users.getByRole('cell', { name, exact: true })).toHaveCount(0)

      const keys = page.getByRole('region', { name: 'API keys' })
      await keys.getByLabel('What it is for').fill(`crawler ${colorScheme}`)
      await keys.getByRole('button', { name: 'Make' }).click()
      await expect(keys.getByText(/^cf_ingest_/)).toBeVisible()
      await expect(keys.getByRole('cell', { name: `crawler ${colorScheme}`, exact: true })).toBeVisible()
      await expect(page.getByRole('region', { name: 'Sessions' }).getByText('this one')).toBeVisible()

      await page.getByRole('button', { name: 'Refresh' }).click()
      const audit = page.getByRole('region', { name: 'Audit log' })
      await expect(audit.getByRole('row', { name: /user root .* user\.remove/ }).first()).toBeVisible()
      await expect(audit).not.toContainText('cf_ingest_')
      expect(await violations(page)).toEqual([])
      await account(page, 'root').click()
      await expect(page.getByRole('button', { name: 'Log out' })).toBeVisible()
      expect(await violations(page)).toEqual([])
    })
  })
}

test('views are shared within the project', async ({ page }) => {
  await page.goto('/models?range=7d')
  await logIn(page, 'root')
  await page.getByTitle('Views kept under a name').click()
  await page.getByLabel('Name of this view').fill('our week')
  await page.getByLabel('for everybody in this project').check()
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByRole('link', { name: 'our week' })).toBeVisible()
  await page.goto('/')
  await page.getByTitle('Views kept under a name').click()
  await page.getByRole('link', { name: 'our week' }).click()
  await expect(page).toHaveURL(`${url}/models?range=7d`)
})
