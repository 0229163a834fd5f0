"""Explanations made before, on every backend."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from adapters.store.backends import redis_server, store, three_nodes, valkey_server
from adapters.store.store_samples import NOON, Heard, explanation, kept_sequence, record_of
from sequela.adapters.store.envelope import BODY, seal
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.ports import Records, Store, StoreDown
from sequela.adapters.store.sqlite.store import memory_store
from sequela.errors import InvalidInput, NotFound
from sequela.explain.explanation import Explanation
from sequela.explain.explanation_query import CallerSelector, Filter
from sequela.explain.explanation_summary import summarize
from sequela.explain.ports import Explanations, Observers
from sequela.explain.telemetry import CacheLookup, EntrySkipped, ExplanationNotKept

__all__ = ["redis_server", "store", "three_nodes", "valkey_server"]


@pytest.fixture
def here(store: Store) -> Explanations:
    """One replica."""
    return ExplanationStore(store.records, Observers([]))


@pytest.fixture
def there(store: Store) -> Explanations:
    """Another one."""
    return ExplanationStore(store.records, Observers([]))


def keep(store: Explanations, key: str | None, made: Explanation) -> None:
    """Keeps an explanation whose request is accepted now."""
    store.keep(key, made, kept_sequence(), datetime.now(UTC))


def names(store: Explanations, wanted: Filter | None = None, size: int = 100) -> list[str]:
    """The names of all pages together."""
    found, token = [], ""
    while True:
        page = store.list(wanted or Filter(), size, token)
        assert len(page.items) <= size
        found += [item.name for item in page.items]
        token = page.next_token
        if not token:
            return found


def test_an_explanation_is_found_exactly_as_it_was(here: Explanations, there: Explanations) -> None:
    """On every replica, by name and by the question's key; lists have its summary."""
    made = explanation(1, caller_id="alert 1", labels={"team": "ato"})
    keep(here, "key", made)
    for replica in (here, there):
        assert replica.get(made.name).explanation == made
        assert replica.answer("key") == made
        assert replica.list(Filter(), 10, "").items == (summarize(made),)


def test_the_sequence_is_found_as_it_was_sent(here: Explanations, there: Explanations) -> None:
    """Names, columns, element types, shapes and bits, and the notes on the events."""
    keep(here, "key", explanation(1))
    found, sent = there.get("explanations/e1").sequence, kept_sequence()
    assert found is not None
    assert found.events == sent.events
    for one, other in zip(found.inputs, sent.inputs, strict=True):
        assert (one.name, one.columns, one.array.shape) == (other.name, other.columns, other.array.shape)
        assert one.array.dtype == other.array.dtype
        np.testing.assert_array_equal(one.array, other.array)


def test_sequences_are_left_out_if_the_operator_says_so(store: Store) -> None:
    """The explanation is there all the same."""
    silent = ExplanationStore(store.records, Observers([]), keep_sequences=False)
    keep(silent, "key", explanation(1))
    assert silent.get("explanations/e1").explanation == explanation(1)
    assert silent.get("explanations/e1").sequence is None


def test_equal_content_is_stored_once(store: Store, here: Explanations) -> None:
    """Whoever asked, whenever, by whatever name of the model and at whatever cost."""
    one = explanation(1, caller_id="a", labels={"k": "v"})
    other = dataclasses.replace(
        one, name="explanations/e2", caller_id="b", labels={}, create_time=NOON, model="models/x/versions/2"
    )
    keep(here, "key", one)
    keep(here, "key", dataclasses.replace(other, cost=dataclasses.replace(other.cost, cached=True)))
    bodies = {each.body for each in store.records.page(Filter(), "", 9).records}
    assert len(bodies) == 1
    assert here.get("explanations/e2").explanation.caller_id == "b"
    assert here.get("explanations/e2").explanation.cost.cached
    assert here.get("explanations/e1").explanation == one


def test_what_is_not_there(here: Explanations) -> None:
    """No answer, no page, and NotFound by name."""
    assert here.answer("unknown") is None
    assert names(here) == []
    with pytest.raises(NotFound) as error:
        here.get("explanations/none")
    assert error.value.reason == "EXPLANATION_NOT_FOUND"


def test_one_cut_short_is_kept_but_never_reused(here: Explanations, there: Explanations) -> None:
    """Its name and its lists have it; its key has nothing, or the complete one before."""
    keep(here, "key", explanation(1, cut_short=True))
    for replica in (here, there):
        assert replica.answer("key") is None
        assert replica.get("explanations/e1").explanation.cut_short
        assert names(replica) == ["explanations/e1"]
    keep(here, "key", explanation(2))
    keep(here, "key", explanation(3, cut_short=True))
    for replica in (here, there):
        assert replica.answer("key") == explanation(2)


def test_a_deletion_reaches_every_replica(here: Explanations, there: Explanations) -> None:
    """By name, by key and in lists; what was accepted before it is not kept after it."""
    before = datetime.now(UTC)
    keep(here, "key", explanation(1, caller_id="a"))
    keep(here, "other", explanation(2, caller_id="b"))
    assert there.delete(CallerSelector("a"), float("inf")).count == 1
    here.keep("late", explanation(3, caller_id="a"), kept_sequence(), before)
    for replica in (here, there):
        assert names(replica) == ["explanations/e2"]
        assert replica.answer("key") is replica.answer("late") is None
        with pytest.raises(NotFound):
            replica.get("explanations/e1")


def test_an_explanation_made_again_is_listed_once(here: Explanations) -> None:
    """Under its name, at its new time, in every list it is in."""
    keep(here, "key", explanation(1, caller_id="a"))
    keep(here, "other", explanation(2, caller_id="a"))
    again = dataclasses.replace(explanation(1, caller_id="a"), create_time=NOON + timedelta(seconds=9))
    keep(here, "key", again)
    for wanted in (Filter(), Filter(caller_id="a")):
        assert names(here, wanted) == ["explanations/e1", "explanations/e2"]
        assert here.list(wanted, 10, "").items[0] == summarize(again)


@pytest.mark.parametrize("token", ["x", "AAAAAAAAAAAAAAAA", "\N{SNOWMAN}"])
def test_a_forged_token_is_refused(here: Explanations, token: str) -> None:
    """Also one of another filter."""
    for number in range(3):
        keep(here, f"key {number}", explanation(number, caller_id="a"))
    for bad in (
        token,
        here.list(Filter(caller_id="a"), 1, "").next_token,
        here.list(Filter(max_score=9), 1, "").next_token,
    ):
        with pytest.raises(InvalidInput) as error:
            here.list(Filter(), 1, bad)
        assert error.value.reason == "PAGE_TOKEN_INVALID"


def test_a_token_survives_labels_in_another_order(here: Explanations) -> None:
    """Another replica may have them in any."""
    for number in range(3):
        keep(here, f"key {number}", explanation(number, labels={"a": "1", "b": "2"}))
    token = here.list(Filter(labels={"a": "1", "b": "2"}), 1, "").next_token
    page = here.list(Filter(labels={"b": "2", "a": "1"}), 1, token)
    assert [item.name for item in page.items] == ["explanations/e1"]


def test_a_body_that_cannot_be_read_is_not_there(store: Store) -> None:
    """Counted by reason: of a newer release, damaged, written by another program."""
    heard = Heard()
    explanations = ExplanationStore(store.records, heard)
    newer = bytearray(seal(BODY, b"x"))
    newer[3] += 1
    for number, (body, reason) in enumerate(
        [(bytes(newer), "version"), (seal(BODY, b"x")[:-1] + b"y", "damaged"), (b"foreign", "foreign")]
    ):
        record = record_of(explanation(number), f"{number:064x}")
        store.records.add(record, body, f"key {number}")
        assert explanations.answer(f"key {number}") is None
        with pytest.raises(NotFound):
            explanations.get(record.summary.name)
        assert [each.reason for each in heard.of(EntrySkipped)[-2:]] == [reason, reason]
    assert len(names(explanations)) == 3


def test_observers_hear_of_hits_and_misses() -> None:
    """An answer that is there, and one that is not."""
    heard = Heard()
    explanations = ExplanationStore(memory_store().records, heard)
    explanations.answer("key")
    keep(explanations, "key", explanation(1))
    explanations.answer("key")
    explanations.get("explanations/e1")
    assert [(record.cache, record.result) for record in heard.of(CacheLookup)] == [
        ("answer", "miss"),
        ("answer", "hit"),
        ("explanation", "hit"),
    ]


def test_a_store_that_is_down_loses_the_explanation_and_says_so() -> None:
    """Keeping never raises, and there is no answer."""

    class Down:
        def __getattr__(self, name: str) -> object:
            raise StoreDown("test")

    heard = Heard()
    down: Records = Down()  # type: ignore[assignment]
    explanations = ExplanationStore(down, heard)
    keep(explanations, "key", explanation(1))
    assert explanations.answer("key") is None
    assert len(heard.of(ExplanationNotKept)) == 1
    assert [(record.cache, record.result) for record in heard.of(CacheLookup)] == [("answer", "error")]
    with pytest.raises(StoreDown):
        explanations.get("explanations/e1")
