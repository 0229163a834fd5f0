"""A store in the process together with a shared one, in the two orders that are safe."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sequela.adapters.store.ports import KeyValue, StoreDown
from sequela.explain.ports import Observer
from sequela.explain.telemetry import CacheAsked

NEAR_SECONDS = 86_400.0
"""How long a copy in the process is kept: as long as one may want to get through without the shared store."""


@dataclass(frozen=True, slots=True)
class _Layers:
    """Indexes lie in the shared store alone, since only that sees the entries of every replica."""

    near: KeyValue
    far: KeyValue

    def index_add(self, index: str, entry: str, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        self.far.index_add(index, entry, ttl)

    def index_remove(self, index: str, *entries: str) -> None:
        """See `KeyValue`."""
        self.far.index_remove(index, *entries)

    def index_page(self, index: str, after: str, limit: int) -> tuple[str, ...]:
        """See `KeyValue`."""
        return self.far.index_page(index, after, limit)

    def index_trim(self, index: str, after: str) -> None:
        """See `KeyValue`."""
        self.far.index_trim(index, after)


@dataclass(frozen=True, slots=True)
class CachedStore(_Layers):
    """For keys that always hold the same: a copy in the process is as good as the shared one, and quicker.

    While the shared store is down, what is put stays in the process, and StoreDown is still raised. Observers
    hear of every get, as one of the cache `cache`.
    """

    cache: str
    observer: Observer
    near_seconds: float = NEAR_SECONDS

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        start = time.monotonic()
        try:
            value = self._get(key)
        except StoreDown:
            self.observer.notice(CacheAsked(self.cache, "error", time.monotonic() - start))
            raise
        result = "miss" if value is None else "hit"
        self.observer.notice(CacheAsked(self.cache, result, time.monotonic() - start))
        return value

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        self.near.put(key, value, self._near_ttl(ttl))
        self.far.put(key, value, ttl)

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bytes:
        """See `KeyValue`."""
        standing = self.far.put_if_absent(key, value, ttl)
        self.near.put(key, standing, self._near_ttl(ttl))
        return standing

    def delete(self, key: str) -> bool:
        """See `KeyValue`. Copies in other processes stay until they are dropped."""
        deleted = self.far.delete(key)
        return self.near.delete(key) or deleted

    def _get(self, key: str) -> bytes | None:
        value = self.near.get(key)
        if value is None:
            value = self.far.get(key)
            if value is not None:
                self.near.put(key, value, self.near_seconds)
        return value

    def _near_ttl(self, ttl: float | None) -> float:
        return self.near_seconds if ttl is None else min(ttl, self.near_seconds)


@dataclass(frozen=True, slots=True)
class FallbackStore(_Layers):
    """For keys that may change: the shared store is asked, and the last answer only while it is down.

    Changes are never made in the process alone: they raise StoreDown.
    """

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        try:
            value = self.far.get(key)
        except StoreDown:
            value = self.near.get(key)
            if value is None:
                raise
            return value
        if value is None:
            self.near.delete(key)
        else:
            self.near.put(key, value, NEAR_SECONDS)
        return value

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        self.far.put(key, value, ttl)
        self.near.put(key, value, NEAR_SECONDS)

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bytes:
        """See `KeyValue`."""
        standing = self.far.put_if_absent(key, value, ttl)
        self.near.put(key, standing, NEAR_SECONDS)
        return standing

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        deleted = self.far.delete(key)
        self.near.delete(key)
        return deleted
