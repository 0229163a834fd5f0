"""Explanations, kept for a limited time: the port `Explanations` on a backend's records."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sequela.adapters.store.envelope import Unreadable
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.adapters.store.ports import Record, Records, StoreDown, StoredRecord
from sequela.adapters.store.serialization import Body, decode_body, encode_body
from sequela.adapters.store.skip_log import SkipLog
from sequela.contract.explanations import content_bytes
from sequela.errors import NotFound
from sequela.explain.explanation import Explanation
from sequela.explain.explanation_query import Deleted, Filter, Selector
from sequela.explain.explanation_summary import ExplanationSummary, summarize
from sequela.explain.kept_explanation import KeptExplanation, KeptSequence
from sequela.explain.ports import Observer, Page
from sequela.explain.stage_timer import timed
from sequela.explain.telemetry import CacheLookup, ExplanationNotKept

EXPLANATION_TTL_SECONDS = 7 * 86_400.0
"""How long an explanation is kept, in seconds."""

Result = TypeVar("Result")


class ExplanationStore:
    """Implements the `Explanations` port.

    Args:
        records: The backend.
        observer: Receives a record of every look-up, and of entries that are skipped.
        ttl_seconds: How long an explanation is kept.
        keep_sequences: Whether sequences are kept with their explanations.
    """

    def __init__(
        self,
        records: Records,
        observer: Observer,
        ttl_seconds: float = EXPLANATION_TTL_SECONDS,
        keep_sequences: bool = True,
    ) -> None:
        self._records = records
        self._observer = observer
        self._skips = SkipLog(observer)
        self._ttl = timedelta(seconds=ttl_seconds)
        self._keep_sequences = keep_sequences

    def answer(self, key: str) -> Explanation | None:
        """See `Explanations`."""
        try:
            found = self._look_up("answer", lambda: self._records.answer(key))
        except StoreDown:
            return None
        # An answer that was cut short is never reused, whatever the store contains.
        return None if found is None or found.explanation.cut_short else found.explanation

    def keep(
        self, key: str | None, explanation: Explanation, sequence: KeptSequence, accepted: datetime
    ) -> bytes:
        """See `Explanations`."""
        encoded = timed(self._observer, "encode", lambda: content_bytes(explanation))
        kept = sequence if self._keep_sequences else None

        def store() -> None:
            self._add(key, explanation, encode_body(explanation, kept, encoded), accepted)

        timed(self._observer, "store", store)
        return encoded

    def get(self, name: str) -> KeptExplanation:
        """See `Explanations`."""
        found = self._look_up("explanation", lambda: self._records.get(name))
        if found is None:
            raise NotFound("EXPLANATION_NOT_FOUND", f"no explanation is named {name!r}, or it has expired")
        return found

    def list(self, wanted: Filter, page_size: int, token: str) -> Page[ExplanationSummary]:
        """See `Explanations`. A page may be shorter than its size, even empty, and still have a next one."""
        scope = _scope(wanted)
        found = self._records.page(wanted, page_position(scope, token), page_size)
        items = tuple(record.summary for record in found.records)
        return Page(items, page_token(scope, found.next_position) if found.next_position else "")

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Explanations`."""
        return self._records.delete(wanted, until)

    def _add(self, key: str | None, explanation: Explanation, body: Body, accepted: datetime) -> None:
        expires = datetime.now(UTC) + self._ttl
        record = Record(summarize(explanation), explanation.cost, body.digest, accepted, expires)
        try:
            self._records.add(record, body.data, None if explanation.cut_short else key)
        except StoreDown:
            self._observer.notice(ExplanationNotKept())

    def _look_up(self, name: str, read: Callable[[], StoredRecord | None]) -> KeptExplanation | None:
        start, result = time.monotonic(), "error"  # this remains if `read` raises
        try:
            stored = read()
            found = None if stored is None else self._decode(stored)
            result = "miss" if found is None else "hit"
            return found
        finally:
            self._observer.notice(CacheLookup(name, result, time.monotonic() - start))

    def _decode(self, stored: StoredRecord) -> KeptExplanation | None:
        try:
            return decode_body(stored)
        except Unreadable as unreadable:
            self._skips.skip(unreadable.reason, stored.record.summary.name)
            return None


def _scope(wanted: Filter) -> str:
    """Returns what identifies a list in page tokens, whatever the order of the labels."""
    return repr(("explanations", replace(wanted, labels=None), sorted((wanted.labels or {}).items())))
