"""The trace of OpenTelemetry that the caller's code is a part of."""

from __future__ import annotations

import sys

Metadata = tuple[tuple[str, str], ...]


def with_trace(metadata: Metadata) -> Metadata:
    """The metadata of a call, and what makes it a part of the current trace (W3C Trace Context), if there is one."""
    # A program that traces has already imported it. Other programs need not have it installed, nor wait for the import.
    if "opentelemetry.trace" not in sys.modules:
        return metadata
    # It is not a dependency of the client.
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return (*metadata, *carrier.items())
