import { createOpenAI } from '@ai-sdk/openai'
import { generateText } from 'ai'
import { telemetry } from './instrumentation.mjs'

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })

await generateText({
  model: openai.chat('gpt-4o-mini'),
  prompt: 'Why is the sky blue?',
  runtimeContext: { userId: 'ada', team: 'growth' },
  telemetry: {
    functionId: 'ask', // names the step
    recordInputs: false,
    recordOutputs: false,
    includeRuntimeContext: { userId: true, team: true },
  },
})

await telemetry.shutdown()
console.log('Look at http://127.0.0.1:4319: the step `ask`.')
