"""A Python program with OpenInference, the instrumentation of Arize and Phoenix."""

from openai import OpenAI
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()

client = OpenAI()
tracer = trace.get_tracer("app")

# On every span within: user, session and the metadata that become dimensions of the cost.
with using_attributes(user_id="ada", session_id="s-1", metadata={"team": "growth"}):
    with tracer.start_as_current_span("POST /ask") as span:
        span.set_attribute("costflame.feature", "ask")
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
        )

provider.shutdown()
print("Look at http://127.0.0.1:4319: feature `ask`, user `ada`.")
