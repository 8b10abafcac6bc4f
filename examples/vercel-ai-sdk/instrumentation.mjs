// Loaded before the program (`node --import`): all of it is set by the standard OTEL_… variables.
import { OpenTelemetry } from '@ai-sdk/otel'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { registerTelemetry } from 'ai'

export const telemetry = new NodeSDK({ traceExporter: new OTLPTraceExporter() })
telemetry.start()

registerTelemetry(
  new OpenTelemetry({
    // For whom a call is: what it includes of its runtime context.
    enrichSpan: ({ runtimeContext }) => ({
      'user.id': runtimeContext?.userId,
      'costflame.tag.team': runtimeContext?.team,
    }),
  }),
)
