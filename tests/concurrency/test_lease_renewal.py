"""The thread that renews leases, with leases that fail on request."""

from __future__ import annotations

import threading

from sequela.concurrency.lease_renewal import LeaseRenewal
from sequela.errors import Unavailable
from waiting import eventually

LEASE_SECONDS = 0.03


class Leases:
    """Leases of which the first renewals find the store down, and the others end as `renewed` says."""

    def __init__(self, failures: int, renewed: bool) -> None:
        self.calls = 0
        self._failures, self._renewed = failures, renewed

    def renew(self, key: str, token: str, seconds: float) -> bool:
        assert (key, token, seconds) == ("key", "token", LEASE_SECONDS)
        self.calls += 1
        if self.calls <= self._failures:
            raise Unavailable("STORE_DOWN", "The store is down.")
        return self._renewed


def renewing() -> bool:
    return "renew-leases" in {thread.name for thread in threading.enumerate()}


def test_renewals_go_on_after_the_store_was_down() -> None:
    """A renewal that fails is tried again at the next turn, and the thread ends with the work."""
    leases = Leases(failures=2, renewed=True)
    with LeaseRenewal(leases, LEASE_SECONDS).hold("key", "token"):
        eventually(lambda: leases.calls >= 4)
    eventually(lambda: not renewing())


def test_a_lease_that_has_expired_is_not_renewed_again() -> None:
    """Somebody else may have it by then."""
    leases = Leases(failures=0, renewed=False)
    with LeaseRenewal(leases, LEASE_SECONDS).hold("key", "token"):
        eventually(lambda: leases.calls > 0 and not renewing())
        assert leases.calls == 1
