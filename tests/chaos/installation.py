"""Servers, what they depend on, how callers reach them, and what can happen to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sequela_client import AsyncSequela, Credentials

from chaos.replica import Replica

Incident = Callable[[float], None]
"""Breaks something for a number of seconds, and returns once it is repaired or can recover by itself."""


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Installation:
    """Servers that are running.

    Attributes:
        replicas: The servers; callers balance over them.
        store: The arguments with which another server finds the explanations.
        incidents: What can happen, by name.
        credentials: Those of callers.
        recovered: Returns whether all besides the servers has recovered from an incident.
        losses: When the store may have lost what it had confirmed. Times are those of the monotonic clock.
        unreplicated_seconds: For how long before that it may have confirmed what it lost.
    """

    replicas: Sequence[Replica]
    store: Sequence[str]
    incidents: Mapping[str, Incident]
    credentials: Credentials = field(default_factory=Credentials)
    recovered: Callable[[], bool] = _always
    losses: Sequence[float] = ()
    unreplicated_seconds: float = 0.0

    def connect(self) -> AsyncSequela:
        """Returns a client of all the servers."""
        addresses = ",".join(replica.address for replica in self.replicas)
        # A proxy that the environment names cannot reach this machine.
        options = [("grpc.enable_http_proxy", 0)]
        return AsyncSequela(f"ipv4:{addresses}", credentials=self.credentials, options=options)

    def healthy(self) -> bool:
        """Returns whether all is as it was before."""
        return all(replica.healthy() for replica in self.replicas) and self.recovered()


def shared_store(url: str, outbox: Path) -> tuple[str, ...]:
    """Returns the arguments of a server that keeps explanations in Redis."""
    return ("--store", url, "--outbox-folder", str(outbox), "--redis-retry-after", "0.5")
