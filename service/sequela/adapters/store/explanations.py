"""Explanations, kept for a limited time.

Keys, beside the sets of `explanation_index`:

    explanation:{name}      an explanation
    answer:{request key}    the name of a complete explanation that answers such a request
"""

from __future__ import annotations

import time

import structlog

from sequela.adapters.store import explanation_index as index
from sequela.adapters.store.cache import CachedStore
from sequela.adapters.store.memory import MemoryKeyValue
from sequela.adapters.store.outbox import Outbox, PendingWrite
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.adapters.store.ports import Store, StoreDown
from sequela.adapters.store.serialization import decode_explanation, encode_explanation, seal, unseal
from sequela.errors import NotFound
from sequela.explain.explanation import Explanation
from sequela.explain.ports import Filter, Observer, Page
from sequela.explain.telemetry import CacheLookup

EXPLANATION_TTL_SECONDS = 7 * 86_400.0
"""How long an explanation is kept, in seconds."""

CACHE_BYTES = 64 << 20
"""Size of the cache in the process, in bytes."""

MAX_SCANNED_PER_PAGE = 1_000
"""The largest number of explanations to read for one page. A page that reaches it may be short, and has a next page."""

_log = structlog.get_logger(__name__)


class ExplanationStore:
    """Implements the `Explanations` port.

    While the shared store is down, explanations are kept in the process and found there. Once it is back they are
    written to it, a few with each new one.

    Args:
        store: The backend that replicas share.
        observer: Receives a record of every look-up in the cache.
        ttl_seconds: How long an explanation is kept.
        cache_bytes: Size of the cache in the process.
    """

    def __init__(
        self,
        store: Store,
        observer: Observer,
        ttl_seconds: float = EXPLANATION_TTL_SECONDS,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._store = store
        self._observer = observer
        self._ttl_seconds = ttl_seconds
        self._cache = MemoryKeyValue(cache_bytes)
        self._answers = CachedStore(self._cache, store.values, "answer", observer)
        self._explanations = CachedStore(self._cache, store.values, "explanation", observer)
        self._outbox = Outbox(self._cache, store, ttl_seconds)

    def answer(self, key: str) -> Explanation | None:
        """See `Explanations`."""
        try:
            name = unseal(self._answers.get(f"answer:{key}") or b"")
            explanation = self._find(name.decode()) if name else None
        except (StoreDown, UnicodeDecodeError):
            return None
        # An answer that was cut short is never reused, whatever the store contains.
        return None if explanation is None or explanation.cut_short else explanation

    def keep(self, key: str | None, explanation: Explanation) -> None:
        """See `Explanations`."""
        name = explanation.name
        values = {_key(name): encode_explanation(explanation)}
        if key is not None and not explanation.cut_short:
            values[f"answer:{key}"] = seal(name.encode())
        for each, value in values.items():
            # The outbox takes the values from here, now or once the shared store is back.
            self._cache.put(each, value, self._ttl_seconds)
        sets = {index.set_name(""), index.set_name(explanation.caller_id)}
        entry = index.entry(explanation.create_time, name)
        self._outbox.add(PendingWrite(tuple(values), tuple(sets), entry))
        start = time.monotonic()
        try:
            self._outbox.flush()
        except StoreDown:
            self._observer.notice(CacheLookup("explanation", "error", time.monotonic() - start))

    def get(self, name: str) -> Explanation:
        """See `Explanations`."""
        explanation = self._find(name)
        if explanation is None:
            raise NotFound("EXPLANATION_NOT_FOUND", f"no explanation is named {name!r}, or it has expired")
        return explanation

    def list(self, wanted: Filter, page_size: int, token: str) -> Page[Explanation]:
        """See `Explanations`. A page may be shorter than its size, even empty, and still have a next one."""
        name, scope = index.set_name(wanted.caller_id), index.scope(wanted)
        position = page_position(scope, token) or (
            "" if wanted.end is None else index.position_after(wanted.end)
        )
        last = None if wanted.start is None else index.position_after(wanted.start)
        found: list[Explanation] = []
        entries = self._store.index.page(name, position, MAX_SCANNED_PER_PAGE)
        for entry in entries:
            # Entries are sorted from the newest to the oldest, so all that follow are too old as well.
            if last is not None and entry > last:
                return Page(tuple(found))
            if len(found) == page_size:
                return Page(tuple(found), page_token(scope, position))
            explanation = self._read(name, entry)
            if explanation is not None and index.matches(wanted, explanation):
                found.append(explanation)
            position = entry
        more = len(entries) == MAX_SCANNED_PER_PAGE
        return Page(tuple(found), page_token(scope, position) if more else "")

    def _find(self, name: str) -> Explanation | None:
        data = self._explanations.get(_key(name))
        return None if data is None else _decode(name, data)

    def _read(self, set_name: str, entry: str) -> Explanation | None:
        """Reads what an entry of a set names. An entry that is out of date is removed."""
        # Bypass the cache, because a long list would displace entries that are requested repeatedly.
        name = index.name_of(entry)
        data = self._store.values.get(_key(name))
        explanation = None if data is None else _decode(name, data)
        # An alert that is explained again keeps its name, so an older entry may lead to a newer explanation.
        if explanation is None or index.entry(explanation.create_time, name) != entry:
            self._store.index.remove(set_name, entry)
            return None
        return explanation


def _decode(name: str, data: bytes) -> Explanation | None:
    explanation = decode_explanation(data)
    if explanation is None:
        _log.warning("stored explanation unreadable", key=_key(name))
    return explanation


def _key(name: str) -> str:
    return f"explanation:{name}"
