"""Sends spans to a collector of OpenTelemetry (OTLP over HTTP), as the standard variables `OTEL_*` say.

It needs the extra `tracing`. The SDK batches, retries and drops spans; nothing of it runs in the thread of a request.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from sequela import spans

NAME = "sequela"
UNNAMED = "unknown_service"
"""The beginning of the service's name in OpenTelemetry if the operator gives none."""
FLUSH_SECONDS = 3.0
"""How long the end of the server waits for the last spans to be sent."""
KINDS = {
    spans.SpanKind.SERVER: SpanKind.SERVER,
    spans.SpanKind.CLIENT: SpanKind.CLIENT,
    spans.SpanKind.INTERNAL: SpanKind.INTERNAL,
}


@dataclass(frozen=True, slots=True, eq=False)
class SpanExport:
    """Exports spans, and decides which requests are sampled.

    Attributes:
        processor: Receives the spans.
        sampler: Decides.
        resource: What all spans say of this server.
        scope: What all spans say of the program that made them.
    """

    processor: SpanProcessor
    sampler: Sampler
    resource: Resource
    scope: InstrumentationScope

    @classmethod
    def of_environment(cls, version: str) -> SpanExport:
        """Starts the export that the variables `OTEL_*` describe."""
        resource = Resource.create({SERVICE_VERSION: version})
        if str(resource.attributes[SERVICE_NAME]).startswith(UNNAMED):
            resource = resource.merge(Resource({SERVICE_NAME: NAME}))
        # The provider reads the variables of the sampler.
        sampler = TracerProvider(resource=resource, shutdown_on_exit=False).sampler
        scope = InstrumentationScope(NAME, version)
        return cls(BatchSpanProcessor(OTLPSpanExporter()), sampler, resource, scope)

    def is_sampled(self, parent: spans.SpanContext | None, trace_id: str, name: str) -> bool:
        """Returns whether a request is recorded. By default, its caller decides, and without one it is."""
        context = set_span_in_context(NonRecordingSpan(_context(parent))) if parent else None
        result = self.sampler.should_sample(context, int(trace_id, 16), name, SpanKind.SERVER)
        return result.decision is Decision.RECORD_AND_SAMPLE

    def take(self, span: spans.Span) -> None:
        """Queues a span."""
        attributes = {"error.type": span.error, **span.attributes} if span.error else span.attributes
        error = str(attributes.get("error.type", ""))
        parent = spans.SpanContext(span.context.trace_id, span.parent_id, True) if span.parent_id else None
        self.processor.on_end(
            ReadableSpan(
                span.name,
                _context(span.context),
                _context(parent) if parent else None,
                self.resource,
                attributes,
                kind=KINDS[span.kind],
                status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
                start_time=span.start_ns,
                end_time=span.end_ns,
                instrumentation_scope=self.scope,
            )
        )

    def close(self) -> None:
        """Sends what is queued, but does not wait for long if the collector does not answer."""
        closing = threading.Thread(target=self.processor.shutdown, name="span-export-end", daemon=True)
        closing.start()
        closing.join(FLUSH_SECONDS)


def _context(context: spans.SpanContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([context.state]),
    )
