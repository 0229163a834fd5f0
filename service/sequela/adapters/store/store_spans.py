"""A store whose calls are spans of the request that makes them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from sequela.adapters.store.ports import KeyValue, Record, RecordPage, Records, Store, StoredRecord
from sequela.explain.explanation_query import Deleted, Filter, Selector
from sequela.spans import Attributes, SpanKind, span


def with_spans(store: Store, system: str) -> Store:
    """Returns the store with a span for each call.

    Args:
        store: The store.
        system: What it is, for the attribute `db.system.name`.
    """
    return replace(store, records=RecordSpans(store.records, system), values=ValueSpans(store.values, system))


@dataclass(frozen=True, slots=True, eq=False)
class RecordSpans:
    """Implements `Records`: those of `inner`, with spans."""

    inner: Records
    system: str

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        with _span(self.system, "add"):
            self.inner.add(record, body, answer_key)

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        with _span(self.system, "get"):
            return self.inner.get(name)

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`."""
        with _span(self.system, "answer"):
            return self.inner.answer(answer_key)

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`."""
        with _span(self.system, "page"):
            return self.inner.page(wanted, after, limit)

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Records`."""
        with _span(self.system, "delete"):
            return self.inner.delete(wanted, until)


@dataclass(frozen=True, slots=True, eq=False)
class ValueSpans:
    """Implements `KeyValue`: that of `inner`, with spans."""

    inner: KeyValue
    system: str

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        with _span(self.system, "value get"):
            return self.inner.get(key)

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        with _span(self.system, "value put"):
            self.inner.put(key, value, ttl_seconds)

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""
        with _span(self.system, "value put"):
            return self.inner.put_if_absent(key, value, ttl_seconds)

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        with _span(self.system, "value delete"):
            return self.inner.delete(key)


def _span(system: str, name: str) -> AbstractContextManager[Attributes]:
    return span(f"store {name}", SpanKind.CLIENT, {"db.system.name": system})
