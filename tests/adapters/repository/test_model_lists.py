"""Lists of models while the store is down, and beside what other programs put there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from adapters.repository.replicas import BreakableStore, put, repository, small, width
from sequela.adapters.store.ports import Index, StoreDown
from sequela.adapters.store.sqlite.store import memory_store
from sequela.explain.request import NamedModel


def test_the_operators_models_are_listed_while_the_store_is_down(tmp_path: Path) -> None:
    """Uploads are left out, and come back with the store. Without models of the operator there is nothing to list."""
    put(tmp_path, "fraud", "1", small(2))
    put(tmp_path, "fraud", "2", small(3))
    breakable = BreakableStore()
    models = repository(tmp_path, breakable.store)
    models.register("other", small(4), b"")
    breakable.set_down(True)
    first = models.list(1, "")
    second = models.list(1, first.next_token)
    assert [record.name for record in (*first.items, *second.items)] == [
        "models/fraud/versions/1",
        "models/fraud/versions/2",
    ]
    assert not second.next_token
    with pytest.raises(StoreDown):
        repository(store=breakable.store).list(10, "")
    breakable.set_down(False)
    assert len(models.list(10, "").items) == 3


FOREIGN = ("zzz", "m/", "m/0x1", "m/1", "m/-0000000001", "a\udcff/\udcfe", "m\udcff", "\udcff")
"""Entries that are no version of a model: other forms, and bytes that are not UTF-8."""


class ForeignIndex:
    """A set of entries into which another program has written more."""

    def __init__(self, index: Index) -> None:
        self.add, self.remove = index.add, index.remove
        self._index = index

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        entries = sorted((*self._index.page(name, "", 1_000), *FOREIGN), key=in_bytes)
        return tuple(entry for entry in entries if in_bytes(entry) > in_bytes(after))[:limit]


def in_bytes(entry: str) -> bytes:
    return entry.encode(errors="surrogateescape")


def test_foreign_entries_do_not_disturb() -> None:
    """Of another program, before, between and after the models: lists, names and uploads work as without them."""
    store = memory_store()
    models = repository(store=replace(store, index=ForeignIndex(store.index)))
    models.register("m", small(2), b"")
    assert models.register("m", small(3), b"").name == "models/m/versions/2"
    assert width(models.resolve(NamedModel("m"))) == 3
    assert width(models.resolve(NamedModel("m/1"))) == 2
    assert [record.name for record in models.list(100, "").items] == [
        "models/m/versions/1",
        "models/m/versions/2",
    ]
    models.delete("m")
    assert not models.list(100, "").items
