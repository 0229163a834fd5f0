"""A cache in the process in front of a shared store: `CachedStore` reads the cache first, `FallbackStore` the store."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sequela.adapters.store.ports import KeyValue, StoreDown
from sequela.explain.ports import Observer
from sequela.explain.telemetry import CacheLookup

CACHE_SECONDS = 86_400.0
"""How long a copy in the process is kept: a day, so that work continues during an outage of the shared store."""


@dataclass(frozen=True, slots=True)
class CachedStore:
    """Implements `KeyValue` for keys whose value never changes: the cache is read first, then the shared store.

    While the shared store is down, `put` still fills the cache before it raises StoreDown.

    Attributes:
        cache: The store in the process.
        shared: The store that all replicas share.
        name: The cache's name in metrics.
        observer: Receives a record of every `get`.
        max_seconds: The longest time for which a copy is kept, in seconds.
    """

    cache: KeyValue
    shared: KeyValue
    name: str
    observer: Observer
    max_seconds: float = CACHE_SECONDS

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        start = time.monotonic()
        # This remains if the look-up raises an error.
        result = "error"
        try:
            value = self._get(key)
            result = "miss" if value is None else "hit"
            return value
        finally:
            self.observer.notice(CacheLookup(self.name, result, time.monotonic() - start))

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        # The cache first, so that the value can be read here even if the shared store is down.
        self.cache.put(key, value, self._cache_ttl(ttl_seconds))
        self.shared.put(key, value, ttl_seconds)

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""
        present = self.shared.put_if_absent(key, value, ttl_seconds)
        self.cache.put(key, present, self._cache_ttl(ttl_seconds))
        return present

    def delete(self, key: str) -> bool:
        """See `KeyValue`. Copies in other processes stay until they expire or are dropped."""
        deleted = self.shared.delete(key)
        return self.cache.delete(key) or deleted

    def _get(self, key: str) -> bytes | None:
        value = self.cache.get(key)
        if value is None:
            value = self.shared.get(key)
            if value is not None:
                self.cache.put(key, value, self.max_seconds)
        return value

    def _cache_ttl(self, ttl_seconds: float | None) -> float:
        return self.max_seconds if ttl_seconds is None else min(ttl_seconds, self.max_seconds)


@dataclass(frozen=True, slots=True)
class FallbackStore:
    """Implements `KeyValue` for keys whose value may change: the shared store is read first.

    The cache holds the last answers, and is read only while the shared store is down. Changes are never made in the
    cache alone: they raise StoreDown.

    Attributes:
        cache: The store in the process.
        shared: The store that all replicas share.
    """

    cache: KeyValue
    shared: KeyValue

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        try:
            value = self.shared.get(key)
        except StoreDown:
            value = self.cache.get(key)
            if value is None:
                raise
            return value
        if value is None:
            self.cache.delete(key)
        else:
            self.cache.put(key, value, CACHE_SECONDS)
        return value

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        self.shared.put(key, value, ttl_seconds)
        self.cache.put(key, value, CACHE_SECONDS)

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""
        present = self.shared.put_if_absent(key, value, ttl_seconds)
        self.cache.put(key, present, CACHE_SECONDS)
        return present

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        deleted = self.shared.delete(key)
        self.cache.delete(key)
        return deleted
