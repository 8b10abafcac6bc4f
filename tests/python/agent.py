"""Two services with the real OpenTelemetry SDK and OpenAI instrumentation, against a mock provider.

`front` answers nothing itself: it asks `agent` over HTTP, which calls the model. The exporter is the
real one, set by the standard OTEL_EXPORTER_OTLP_… variables; the protocol is the only argument.
Prints one JSON line: what the provider really billed.
"""

import json
import sys
import threading
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

CALLS = [(7205, 1099), (1200, 75), (31, 2)]


def exporter(protocol):
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


def serve(handle):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = json.dumps(handle(json.loads(body), self.headers)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main(protocol):
    billed = []

    def provider(request, _headers):
        prompt, completion = CALLS[len(billed)]
        billed.append({"response_id": f"chatcmpl-{uuid.uuid4().hex}",
                       "input": prompt, "output": completion})
        return {
            "id": billed[-1]["response_id"], "object": "chat.completion", "created": 1795388725,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        }

    providers = {}
    for service in ("front", "agent"):
        providers[service] = TracerProvider(resource=Resource.create(
            {"service.name": service, "deployment.environment.name": "test"}))
        providers[service].add_span_processor(BatchSpanProcessor(exporter(protocol)))
    OpenAIInstrumentor().instrument(tracer_provider=providers["agent"])
    client = openai.OpenAI(base_url=serve(provider) + "/v1", api_key="none", max_retries=0)

    def agent(request, headers):
        tracer = providers["agent"].get_tracer("app")
        with tracer.start_as_current_span("POST /run", context=propagate.extract(headers), kind=trace.SpanKind.SERVER,
                                          attributes={"http.request.method": "POST", "http.route": "/run"}):
            for step in range(request["calls"]):
                with tracer.start_as_current_span("invoke_agent planner", attributes={
                        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}):
                    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": f"step {step}"}])
        return {}

    agent_url = serve(agent)
    tracer = providers["front"].get_tracer("app")
    with tracer.start_as_current_span("POST /chat", kind=trace.SpanKind.SERVER, attributes={
            "http.request.method": "POST", "http.route": "/chat", "user.id": "ada"}) as root:
        headers = {"content-type": "application/json"}
        propagate.inject(headers)
        body = json.dumps({"calls": len(CALLS)}).encode()
        urllib.request.urlopen(urllib.request.Request(agent_url, body, headers)).read()
        trace_id = f"{root.get_span_context().trace_id:032x}"
    for provider_ in providers.values():
        if not provider_.force_flush():
            sys.exit("the exporter could not deliver its spans")
        provider_.shutdown()
    print(json.dumps({"trace_id": trace_id, "calls": billed}))


main(sys.argv[1])
