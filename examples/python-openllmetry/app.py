"""A Python program with OpenLLMetry, the instrumentation of Traceloop."""

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()

client = OpenAI()
tracer = trace.get_tracer("app")

with tracer.start_as_current_span("POST /ask") as span:
    # What Traceloop.set_association_properties writes.
    span.set_attribute("traceloop.association.properties.user_id", "ada")
    span.set_attribute("costflame.feature", "ask")
    client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
    )

provider.shutdown()
print("Look at http://127.0.0.1:4319: feature `ask`, user `ada`.")
