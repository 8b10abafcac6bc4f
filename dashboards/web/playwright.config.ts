import { defineConfig } from '@playwright/test'

// COSTFLAME_URL tests a running costflame; without it the built pages are served with the mock API.
const url = process.env.COSTFLAME_URL
const MOCK = 'http://127.0.0.1:4173'

export default defineConfig({
  testDir: 'e2e',
  timeout: 60_000,
  expect: { timeout: 15_000 },
  workers: 2,
  forbidOnly: true,
  grepInvert: url ? undefined : /@server/,
  reporter: [['list']],
  use: {
    baseURL: url ?? MOCK,
    viewport: { width: 1440, height: 900 },
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    colorScheme: 'dark',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  webServer: url
    ? undefined
    : {
        command: 'npx vite build && npx vite preview --host 127.0.0.1 --port 4173 --strictPort',
        url: `${MOCK}/api/v1/health`,
        timeout: 180_000,
      },
})
