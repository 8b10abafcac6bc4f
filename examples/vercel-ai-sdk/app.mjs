import { createOpenAI } from '@ai-sdk/openai'
import { generateText } from 'ai'
import { telemetry } from './instrumentation.mjs'

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })

await generateText({
  model: openai.chat('gpt-4o-mini'),
  prompt: 'Why is the sky blue?',
  // Off by default. The function's id names the step; metadata become user and tags.
  experimental_telemetry: {
    isEnabled: true,
    functionId: 'ask',
    recordInputs: false,
    recordOutputs: false,
    metadata: { userId: 'ada', team: 'growth' },
  },
})

await telemetry.shutdown()
console.log('Look at http://127.0.0.1:4319: the step `ask`.')
