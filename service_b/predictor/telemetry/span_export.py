"""Exporting spans by OTLP: where the time of each request goes, for a viewer of traces.

Only what exports them imports this: its packages are those of requirements-tracing.txt.
"""

import logging
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.re import parse_env_headers

# What is left at a stop gets this long to be sent.
_STOP_SECONDS = 1

# It writes a line for each try of its own; that it gave up is enough.
logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.ERROR)


class SpanExport:
    """Sends spans from a thread of its own; drops some when that doesn't keep up.

    The standard's variables, `OTEL_*`, say where to, how, and which.
    """

    def __init__(self, service: str, version: str, headers: str | None) -> None:
        own = Resource({"service.name": service, "service.version": version})
        # What the variables say of the service wins.
        resource = Resource.create(own.merge(OTELResourceDetector().detect()).attributes)
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracer = self.provider.get_tracer(service, version)
        self._headers = parse_env_headers(headers or "", liberal=True)

    def start(self) -> None:
        exporter = OTLPSpanExporter(headers=self._headers)
        self.provider.add_span_processor(BatchSpanProcessor(exporter))

    def stop(self) -> None:
        """Send what is left, but don't wait long for an address that doesn't answer."""
        stopping = Thread(target=self.provider.shutdown, name="last spans", daemon=True)
        stopping.start()
        stopping.join(_STOP_SECONDS)
