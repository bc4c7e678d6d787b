"""An application with OpenTelemetry: asks the stand-in through the providers' SDKs and writes OTLP/JSON files.

Runs in an environment of its own: `python otel_program.py INSTRUMENTATION ADDRESS FOLDER`. Packages are imported by
name, because they are not installed where the tests are.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

KEY = "key-demo"
MODEL = "gpt-4o-mini"
CLAUDE = "claude-sonnet-4-5-20250929"

INSTRUMENTORS = {
    "openai_v2": ["opentelemetry.instrumentation.openai_v2.OpenAIInstrumentor"],
    "openai_v2_httpx": [
        "opentelemetry.instrumentation.openai_v2.OpenAIInstrumentor",
        "opentelemetry.instrumentation.httpx.HTTPXClientInstrumentor",
    ],
    "genai_openai": ["opentelemetry.instrumentation.genai.openai.OpenAIInstrumentor"],
    "openinference_openai": ["openinference.instrumentation.openai.OpenAIInstrumentor"],
    "traceloop_openai": ["opentelemetry.instrumentation.openai.OpenAIInstrumentor"],
    "sdk_anthropic": [],
    "genai_anthropic": ["opentelemetry.instrumentation.genai.anthropic.AnthropicInstrumentor"],
    "openinference_anthropic": ["openinference.instrumentation.anthropic.AnthropicInstrumentor"],
    "traceloop_anthropic": ["opentelemetry.instrumentation.anthropic.AnthropicInstrumentor"],
    "openinference_and_traceloop_openai": [
        "openinference.instrumentation.openai.OpenAIInstrumentor",
        "opentelemetry.instrumentation.openai.OpenAIInstrumentor",
    ],
    "openinference_and_traceloop_anthropic": [
        "openinference.instrumentation.anthropic.AnthropicInstrumentor",
        "opentelemetry.instrumentation.anthropic.AnthropicInstrumentor",
    ],
}
"""What each program switches on; Anthropic's SDK writes spans of its own where it finds a tracer provider."""


def providers(folder: Path) -> dict[str, Any]:
    """Set up traces, logs and metrics, each into a file; what has to be shut down at the end is returned."""
    resource = import_module("opentelemetry.sdk.resources").Resource.create({"service.name": "desk"})
    files = import_module("opentelemetry.exporter.otlp.json.file")
    trace = import_module("opentelemetry.sdk.trace")
    logs = import_module("opentelemetry.sdk._logs")
    metrics = import_module("opentelemetry.sdk.metrics")

    tracer = trace.TracerProvider(resource=resource)
    spans = files.FileSpanExporter(str(folder / "traces.jsonl"))
    tracer.add_span_processor(import_module("opentelemetry.sdk.trace.export").BatchSpanProcessor(spans))
    logger = logs.LoggerProvider(resource=resource)
    events = import_module("opentelemetry.exporter.otlp.json.file._log_exporter").FileLogExporter(
        str(folder / "logs.jsonl")
    )
    logger.add_log_record_processor(import_module("opentelemetry.sdk._logs.export").BatchLogRecordProcessor(events))
    reader = import_module("opentelemetry.sdk.metrics.export").PeriodicExportingMetricReader(
        files.FileMetricExporter(str(folder / "metrics.jsonl")), export_interval_millis=600_000
    )
    meter = metrics.MeterProvider(resource=resource, metric_readers=[reader])

    import_module("opentelemetry.trace").set_tracer_provider(tracer)
    import_module("opentelemetry._logs").set_logger_provider(logger)
    import_module("opentelemetry.metrics").set_meter_provider(meter)
    return {"tracer_provider": tracer, "logger_provider": logger, "meter_provider": meter}


def openai_calls(address: str) -> dict[str, Callable[[], Any]]:
    """Return the calls by prompt; a stream is read to its end."""
    client = import_module("openai").OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=2)

    def chat(prompt: str, **options: Any) -> Callable[[], Any]:
        messages = [{"role": "user", "content": prompt}]
        return lambda: client.chat.completions.create(model=MODEL, messages=messages, **options)

    def responses(prompt: str, **options: Any) -> Callable[[], Any]:
        return lambda: client.responses.create(model=MODEL, input=prompt, **options)

    told = {"include_usage": True}
    calls = {prompt: chat(prompt) for prompt in ("chat-one [200]", "chat-two [200]", "chat-retried [429 500 200]")}
    calls |= {prompt: chat(prompt) for prompt in ("chat-exhausted [429]", "chat-refused [400]")}
    calls["stream-told [200]"] = chat("stream-told [200]", stream=True, stream_options=told)
    calls["stream-untold [200]"] = chat("stream-untold [200]", stream=True)
    calls["stream-retried [500 200]"] = chat("stream-retried [500 200]", stream=True, stream_options=told)
    calls |= {prompt: responses(prompt) for prompt in ("response [200]", "response-retried [500 200]")}
    calls["response-stream [200]"] = responses("response-stream [200]", stream=True)
    vectors = "text-embedding-3-small"
    calls["vectors [200]"] = lambda: client.embeddings.create(model=vectors, input="vectors [200]")
    return calls


def anthropic_calls(address: str) -> dict[str, Callable[[], Any]]:
    """Return the calls by prompt."""
    client = import_module("anthropic").Anthropic(base_url=address, api_key=KEY, max_retries=2)

    def ask(prompt: str, **options: Any) -> Callable[[], Any]:
        messages = [{"role": "user", "content": prompt}]
        return lambda: client.messages.create(model=CLAUDE, max_tokens=100, messages=messages, **options)

    calls = {prompt: ask(prompt) for prompt in ("message-one [200]", "message-two [200]", "message-retried [529 200]")}
    calls |= {prompt: ask(prompt) for prompt in ("message-exhausted [529]", "message-refused [400]")}
    calls["message-stream [200]"] = ask("message-stream [200]", stream=True)
    calls["message-stream-retried [529 500 200]"] = ask("message-stream-retried [529 500 200]", stream=True)
    return calls


def main(name: str, address: str, folder: Path) -> None:
    """Ask everything once, each below a span of the application that names the case."""
    os.environ["OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"] = "true"
    given = providers(folder)
    for path in INSTRUMENTORS[name]:
        module, _, instrumentor = path.rpartition(".")
        getattr(import_module(module), instrumentor)().instrument(**given)
    make, errors = (anthropic_calls, "anthropic") if name.endswith("anthropic") else (openai_calls, "openai")
    refused = import_module(errors).APIStatusError
    tracer = import_module("opentelemetry.trace").get_tracer("desk")
    for prompt, call in make(address).items():
        # The application catches what finally fails, so its own span is no failure.
        with tracer.start_as_current_span("ask", attributes={"app.case": prompt.split()[0]}), suppress(refused):
            answer = call()
            if hasattr(answer, "__iter__") and hasattr(answer, "close"):
                for _ in answer:
                    pass
    for provider in given.values():
        provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
