"""Computes a result once when several replicas are asked for it at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Protocol

from sequela.concurrency.deadline import Deadline
from sequela.concurrency.lease_renewal import LeaseRenewal, RenewableLeases
from sequela.concurrency.single_flight import SingleFlight
from sequela.errors import Unavailable

LEASE_SECONDS = 10.0
"""How long others wait for a replica that has died. A replica that is still working renews its lease."""

POLL_SECONDS = 0.02
"""How often a request checks whether another replica is done."""

WAIT_SHARE = 0.5
"""The largest share of a request's time for which it waits. The rest is for computing the result itself."""


class ReplicaLeases(RenewableLeases, Protocol):
    """Locks that replicas share, and that expire. Every method may raise Unavailable."""

    def take(self, key: str, seconds: float) -> str | None:
        """Takes the lease unless somebody holds it. Returns a token for `release`, or None."""

    def release(self, key: str, token: str) -> None:
        """Gives the lease back, if this token still holds it."""


class ReplicaFlights(SingleFlight):
    """Lets one thread of all replicas work on a key.

    A lease only saves work. A request that cannot get one works without it: while the store is down, and after half of
    its time.

    Args:
        leases: The leases that replicas share.
        lease_seconds: How long a lease holds if its holder neither renews it nor gives it back.
    """

    def __init__(self, leases: ReplicaLeases, lease_seconds: float = LEASE_SECONDS) -> None:
        super().__init__()
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._renewal = LeaseRenewal(leases, lease_seconds)

    @contextmanager
    def lead(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Waits until nobody else works on `key`, then holds it until the context exits.

        Raises:
            DeadlinePassed: The deadline came first.
            Cancelled: The request was cancelled.
        """
        with super().lead(key, deadline):
            token = self._take(key, deadline)
            try:
                with nullcontext() if token is None else self._renewal.hold(key, token):
                    yield
            finally:
                if token is not None:
                    with contextlib.suppress(Unavailable):
                        self._leases.release(key, token)

    def _take(self, key: str, deadline: Deadline) -> str | None:
        patience_end = deadline.now() + WAIT_SHARE * deadline.remaining
        while True:
            try:
                token = self._leases.take(key, self._lease_seconds)
            except Unavailable:
                return None
            if token is not None:
                return token
            deadline.check()
            if deadline.now() >= patience_end:
                return None
            deadline.pause(POLL_SECONDS)
