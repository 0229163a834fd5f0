"""How much may be asked of an endpoint."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sequela.explain.options import Estimator


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all requests to an endpoint together, unless it is said to be of one call.

    max_rows_per_second: None for no limit. max_calls: under way at a time; as many of them are used as keep the
    endpoint busy. call_seconds: of one call at most. attempts: to send one call. max_coalitions, estimator: of a level,
    where the question does not say.
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

    def differing(self, other: Terms) -> tuple[str, ...]:
        """The names of what differs, but for the switch."""
        names = (each.name for each in fields(self) if each.name != "enabled")
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))
