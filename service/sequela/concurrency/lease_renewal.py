"""Renews leases for as long as their holders work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sequela.errors import Unavailable

RENEWALS_PER_LEASE = 3
"""How often a lease is renewed before it would expire, so that it survives a renewal that fails."""


class RenewableLeases(Protocol):
    """Locks that expire."""

    def renew(self, key: str, token: str, seconds: float) -> bool:
        """Lets the lease hold for `seconds` from now. Returns False if it has expired. May raise Unavailable."""


class LeaseRenewal:
    """Renews the leases that are held, in a thread that ends when there are none. Safe to use from several threads.

    Args:
        leases: The leases.
        lease_seconds: How long a lease holds after it was taken or renewed.
    """

    def __init__(self, leases: RenewableLeases, lease_seconds: float) -> None:
        self._leases = leases
        self._lease_seconds = lease_seconds
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}  # keys by token, because a key may be taken anew
        self._running = False

    @contextmanager
    def hold(self, key: str, token: str) -> Iterator[None]:
        """Renews the lease until the context exits."""
        with self._lock:
            self._held[token] = key
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="renew-leases", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(token, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            with self._lock:
                held = tuple(self._held.items())
                if not held:
                    # The next lease starts another thread.
                    self._running = False
                    return
            for token, key in held:
                self._renew(key, token)

    def _renew(self, key: str, token: str) -> None:
        try:
            renewed = self._leases.renew(key, token, self._lease_seconds)
        except Unavailable:
            return
        if not renewed:
            with self._lock:
                self._held.pop(token, None)
