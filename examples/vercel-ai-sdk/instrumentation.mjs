// Loaded before the program (`node --import`): all of it is set by the standard OTEL_… variables.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { NodeSDK } from '@opentelemetry/sdk-node'

export const telemetry = new NodeSDK({ traceExporter: new OTLPTraceExporter() })
telemetry.start()
