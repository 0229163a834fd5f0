"""Which calls are probes: health checks and reflection. They arrive every few seconds, and must not wait for others."""

from __future__ import annotations

from sequela.explain.telemetry import Call

PROBE_SERVICES = ("grpc.health.", "grpc.reflection.")


def is_probe(call: Call) -> bool:
    """Returns whether a call is a probe."""
    return call.service.startswith(PROBE_SERVICES)
