"""The operator's terms for an endpoint: how much may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sequela.explain.options import Estimator


@dataclass(frozen=True, slots=True)
class EndpointTerms:
    """Terms that hold for all requests to an endpoint together. The names are those of keys in `endpoint.toml`.

    Attributes:
        enabled: False refuses all calls.
        max_batch_rows: Rows of one call at most.
        max_rows_per_second: Rows sent per second at most; None for no limit.
        max_rows_in_flight: Rows in flight at most.
        max_calls: Calls under way at a time at most; fewer are used where that keeps the endpoint busy.
        call_seconds: Time that one call may take.
        attempts: How often one call is sent at most.
        max_coalitions: Coalitions of a level, where a request does not say.
        estimator: The estimator where a request does not say; None to choose it by what rows take.
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

    def differing(self, other: EndpointTerms) -> tuple[str, ...]:
        """The names of terms that differ, apart from `enabled`."""
        names = (each.name for each in fields(self) if each.name != "enabled")
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))
