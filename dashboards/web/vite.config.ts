import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

import { mockApi } from './src/dev/middleware.ts'

// COSTFLAME_API=http://127.0.0.1:4319 develops against a running costflame instead of the mock.
const api = process.env.COSTFLAME_API

export default defineConfig({
  plugins: [svelte(), ...(api ? [] : [mockApi()])],
  server: { port: 5173, proxy: api ? { '/api': api } : undefined },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['src/**/*.test.ts'], testTimeout: 60_000 },
})
