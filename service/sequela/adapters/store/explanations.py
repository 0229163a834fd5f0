"""Explanations made before, kept in a key-value store for a while.

explanation:{name}       an explanation
answer:{question key}    the name of a complete explanation that answers the question
explanations             an index of all, newest first
explanations:{digest}    an index of those with a caller's id, newest first, under the id's digest
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from sequela.adapters.store.key_value import KeyValue, StoreDown
from sequela.adapters.store.layers import NearFirst
from sequela.adapters.store.memory import MemoryKeyValue
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.adapters.store.serialization import decode_explanation, encode_explanation, seal, unseal
from sequela.errors import NotFound
from sequela.explain.ports import Filter, Observer, Page
from sequela.explain.result.explanation import Explanation
from sequela.explain.telemetry import CacheAsked
from sequela.names import names_model

EXPLANATION_SECONDS = 7 * 86_400.0
"""How long an explanation is kept."""

NEAR_BYTES = 64 << 20
"""Room for copies in the process."""

SCANNED_PER_PAGE = 1_000
"""Explanations looked at for one page. A page that ends here is short, and has a next one."""

OWED = 1_000
"""Explanations kept in the process while the shared store is down that are written to it afterwards."""

_PAID_AT_ONCE = 4
_TRIM_EVERY = 100
_INDEX = "explanations"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNT_FROM = 1 << 63
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Owed:
    """What the shared store still has to be told; the values lie in the process."""

    keys: tuple[str, ...]
    indexes: tuple[str, ...]
    entry: str


class StoredExplanations:
    """The `Explanations` port. While the shared store is down explanations are kept in the process, answered
    from it, and written to the store once it is back, some with each later one.
    """

    def __init__(
        self,
        store: KeyValue,
        observer: Observer,
        seconds: float = EXPLANATION_SECONDS,
        near_bytes: int = NEAR_BYTES,
    ) -> None:
        self._store = store
        self._observer = observer
        self._seconds = seconds
        self._near = MemoryKeyValue(near_bytes)
        self._answers = NearFirst(self._near, store, "answer", observer)
        self._explanations = NearFirst(self._near, store, "explanation", observer)
        self._owed: deque[_Owed] = deque(maxlen=OWED)
        self._written = itertools.count(1)

    def answer(self, key: str) -> Explanation | None:
        """See `Explanations`."""
        try:
            name = unseal(self._answers.get(f"answer:{key}") or b"")
            explanation = self._find(name.decode()) if name else None
        except (StoreDown, UnicodeDecodeError):
            return None
        return None if explanation is None or explanation.cut_short else explanation

    def keep(self, key: str | None, explanation: Explanation) -> None:
        """See `Explanations`."""
        name = explanation.name
        values = {_kept(name): encode_explanation(explanation)}
        if key is not None and not explanation.cut_short:
            values[f"answer:{key}"] = seal(name.encode())
        for place, value in values.items():
            self._near.put(place, value, self._seconds)
        indexes = {_index(""), _index(explanation.caller_id)}
        self._owed.append(_Owed(tuple(values), tuple(indexes), _entry(explanation.create_time, name)))
        start = time.monotonic()
        try:
            self._pay()
        except StoreDown:
            self._observer.notice(CacheAsked("explanation", "error", time.monotonic() - start))

    def get(self, name: str) -> Explanation:
        """See `Explanations`."""
        explanation = self._find(name)
        if explanation is None:
            raise NotFound("EXPLANATION_NOT_FOUND", f"no explanation is named {name!r}, or its time is over")
        return explanation

    def list(self, wanted: Filter, page_size: int, token: str) -> Page[Explanation]:
        """See `Explanations`. A page may be shorter than its size, even empty, and still have a next one."""
        index, scope = _index(wanted.caller_id), _scope(wanted)
        position = page_position(scope, token) or ("" if wanted.end is None else _behind(wanted.end))
        last = None if wanted.start is None else _behind(wanted.start)
        found: list[Explanation] = []
        entries = self._store.index_page(index, position, SCANNED_PER_PAGE)
        for entry in entries:
            if last is not None and entry > last:
                return Page(tuple(found))
            if len(found) == page_size:
                return Page(tuple(found), page_token(scope, position))
            explanation = self._listed(index, entry)
            if explanation is not None and _matches(wanted, explanation):
                found.append(explanation)
            position = entry
        more = len(entries) == SCANNED_PER_PAGE
        return Page(tuple(found), page_token(scope, position) if more else "")

    def _pay(self) -> None:
        """Writes what is owed, the newest first: the present explanation does not wait for older ones."""
        for _ in range(_PAID_AT_ONCE):
            try:
                owed = self._owed.pop()
            except IndexError:
                return
            try:
                self._write(owed)
            except StoreDown:
                self._owed.append(owed)
                raise

    def _write(self, owed: _Owed) -> None:
        for key in owed.keys:
            value = self._near.get(key)
            if value is not None:  # else it was dropped from the process meanwhile
                self._store.put(key, value, self._seconds)
        for index in owed.indexes:
            self._store.index_add(index, owed.entry, self._seconds)
        if next(self._written) % _TRIM_EVERY == 0:
            for index in owed.indexes:
                self._store.index_trim(index, _behind(datetime.now(UTC) - timedelta(seconds=self._seconds)))

    def _find(self, name: str) -> Explanation | None:
        data = self._explanations.get(_kept(name))
        return None if data is None else _decode(name, data)

    def _listed(self, index: str, entry: str) -> Explanation | None:
        # Not through the copies in the process: a list should not push out what is asked for again.
        name = entry.partition("|")[2]
        data = self._store.get(_kept(name))
        explanation = None if data is None else _decode(name, data)
        # The same question about the same alert keeps its name, so an older entry may lead to a newer answer.
        if explanation is None or _entry(explanation.create_time, name) != entry:
            self._store.index_remove(index, entry)
            return None
        return explanation


def _decode(name: str, data: bytes) -> Explanation | None:
    explanation = decode_explanation(data)
    if explanation is None:
        _log.warning("stored_explanation_unreadable", name=name)
    return explanation


def _scope(wanted: Filter) -> str:
    labels = sorted((wanted.labels or {}).items())
    return repr((_INDEX, wanted.caller_id, wanted.model, labels, wanted.start, wanted.end))


def _matches(wanted: Filter, explanation: Explanation) -> bool:
    labels = (wanted.labels or {}).items()
    return (
        wanted.caller_id in ("", explanation.caller_id)
        and (not wanted.model or names_model(wanted.model, explanation.model))
        and all(explanation.labels.get(key) == value for key, value in labels)
    )


def _kept(name: str) -> str:
    return f"explanation:{name}"


def _index(caller_id: str) -> str:
    """The index of a caller's id, whatever characters that has; of all for an empty one."""
    return f"{_INDEX}:{hashlib.sha256(caller_id.encode()).hexdigest()[:32]}" if caller_id else _INDEX


def _entry(made: datetime, name: str) -> str:
    """Sorts the newest first: the microseconds count down."""
    return f"{_countdown(made)}|{name}"


def _behind(made: datetime) -> str:
    """A position behind every entry of that microsecond, before all older ones."""
    return f"{_countdown(made)}~"


def _countdown(made: datetime) -> str:
    return f"{_COUNT_FROM - (made - _EPOCH) // timedelta(microseconds=1):016x}"
