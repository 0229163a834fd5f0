"""The trace of OpenTelemetry that the caller's code is a part of."""

from __future__ import annotations

import sys

Headers = tuple[tuple[str, str], ...]


def trace_headers() -> Headers:
    """The metadata that makes a call a part of the current trace (W3C Trace Context); empty if there is none."""
    # A program that traces has imported it. Others need not have it, and do not wait for the import.
    if "opentelemetry.trace" not in sys.modules:
        return ()
    # It is no dependency of the client.
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return tuple(carrier.items())
