"""The operator's terms for an endpoint, which limit its use."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sequela.explain.options import Estimator


@dataclass(frozen=True, slots=True)
class EndpointTerms:
    """Terms for all requests to an endpoint together. The names are those of the keys in `endpoint.toml`.

    Attributes:
        enabled: Whether calls are allowed.
        max_batch_rows: The most rows in one call.
        max_rows_per_second: The most rows to send per second; None for no limit.
        max_rows_in_flight: The most rows in flight.
        max_calls: The most calls in flight. Fewer are used if that keeps the endpoint busy.
        call_seconds: The timeout of one call, in seconds.
        attempts: The most attempts to send one call.
        max_coalitions: The default budget of a level in coalitions.
        estimator: The default estimator; None to choose one by how long rows take.
    """

    enabled: bool = True
    max_batch_rows: int = 256
    max_rows_per_second: float | None = None
    max_rows_in_flight: int = 4_096
    max_calls: int = 8
    call_seconds: float = 10.0
    attempts: int = 3
    max_coalitions: int = 2_048
    estimator: Estimator | None = None

    def differences(self, other: EndpointTerms) -> tuple[str, ...]:
        """Returns the names of terms that differ, apart from `enabled`."""
        names = (each.name for each in fields(self) if each.name != "enabled")
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))
