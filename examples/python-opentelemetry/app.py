"""A Python program with OpenTelemetry's own instrumentation of the OpenAI client.

Exporter, endpoint and service name come from the standard OTEL_… variables.
"""

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()

client = OpenAI()
tracer = trace.get_tracer("app")

with tracer.start_as_current_span("POST /ask") as span:
    # What holds at the root holds for every call below.
    span.set_attribute("user.id", "ada")
    span.set_attribute("costflame.feature", "ask")
    with tracer.start_as_current_span("summarise"):
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
        )

provider.shutdown()
print("Look at http://127.0.0.1:4319: feature `ask`, user `ada`.")
