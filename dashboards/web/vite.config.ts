import { readFileSync } from 'node:fs'

import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

import { mockApi } from './src/dev/middleware.ts'

// COSTFLAME_API=http://127.0.0.1:4319 develops against a running costflame instead of the mock.
const api = process.env.COSTFLAME_API

/** The licence of ECharts asks for its NOTICE beside the licences, which Vite collects itself. */
const notice = (): Plugin => ({
  name: 'notice',
  generateBundle() {
    const source = readFileSync(new URL('node_modules/echarts/NOTICE', import.meta.url), 'utf8')
    this.emitFile({ type: 'asset', fileName: 'notice.txt', source })
  },
})

export default defineConfig({
  plugins: [svelte(), notice(), ...(api ? [] : [mockApi()])],
  server: { port: 5173, proxy: api ? { '/api': api } : undefined },
  build: {
    target: 'es2022',
    license: { fileName: 'licenses.txt' },
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  test: { include: ['src/**/*.test.ts'], testTimeout: 60_000 },
})
