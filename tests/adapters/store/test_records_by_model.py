"""Records of every backend against a plain model: lists of Python, searched from end to end."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from adapters.store.backends import BACKENDS, KINDS, opened, redis_server, three_nodes, valkey_server
from adapters.store.record_samples import EVER, record
from adapters.store.store_samples import NOON
from hypothesis import given, settings
from hypothesis import strategies as st
from sequela.adapters.store.ports import Record, Store
from sequela.adapters.store.redis.deletion_log import MARGIN_SECONDS
from sequela.explain.explanation import TargetScore
from sequela.explain.explanation_query import CallerSelector, Filter, LabelSelector, NameSelector, Selector
from sweeps import few_of

__all__ = ["redis_server", "three_nodes", "valkey_server"]

IDS = st.sampled_from(["", "a", "ab", "b|", "é\N{SNOWMAN}"])
KEYS = st.sampled_from(["k", "", "team|x"])
VALUES = st.sampled_from(["v", "", "w"])
NUMBERS = st.integers(0, 11)
MODELS = st.sampled_from(["models/m/versions/1", "models/m/versions/2", "models/m2/versions/1"])
TIMES = st.integers(0, 5).map(lambda number: NOON + timedelta(seconds=number))
SCORES = st.sampled_from([0.0, -1.5, 2.0, float("inf"), 1e-300])

RECORDS = st.builds(
    lambda number, caller_id, labels, model, made, score, body: record(
        number,
        caller_id=caller_id,
        labels=labels,
        model=model,
        create_time=made,
        targets=() if score is None else (TargetScore("fraud", None, 0.0, None, score),),
        body=bytes([body]),
    ),
    NUMBERS,
    IDS,
    st.dictionaries(KEYS, VALUES, max_size=2),
    MODELS,
    TIMES,
    st.none() | SCORES,
    st.integers(0, 2),
)
SELECTORS = (
    st.builds(lambda number: NameSelector(f"explanations/e{number}"), NUMBERS)
    | st.builds(CallerSelector, IDS.filter(bool))
    | st.builds(LabelSelector, KEYS, VALUES)
)
FILTERS = st.builds(
    Filter,
    caller_id=IDS,
    model=st.sampled_from(["", "m", "m/2", "models/m/versions/1", "m2", "none"]),
    labels=st.none() | st.dictionaries(KEYS, VALUES, max_size=2),
    start=st.none() | TIMES,
    end=st.none() | TIMES,
    min_score=st.none() | SCORES,
    max_score=st.none() | SCORES,
)


class PlainRecords:
    """The model: what is stored, by name."""

    def __init__(self) -> None:
        self.stored: dict[str, Record] = {}

    def delete(self, wanted: Selector) -> int:
        """Deletes and counts."""
        gone = [name for name, each in self.stored.items() if wanted.matches(each.summary)]
        for name in gone:
            del self.stored[name]
        return len(gone)

    def list(self, wanted: Filter) -> list[Record]:
        """Returns all that match, in order."""
        found = [each for each in self.stored.values() if wanted.matches(each.summary)]
        found.sort(key=lambda each: each.summary.name.encode())
        return sorted(found, key=lambda each: each.summary.create_time, reverse=True)


@pytest.fixture(params=BACKENDS)
def new_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    """Opens stores of one kind; each example takes a new one."""
    made: list[Store] = []

    def new() -> Store:
        made.append(opened(request, tmp_path_factory.mktemp("store")))
        return made[-1]

    yield new
    for store in made:
        store.close()


def pages(store: Store, wanted: Filter, limit: int) -> list[Record]:
    """All pages together."""
    found: list[Record] = []
    position = ""
    while True:
        page = store.records.page(wanted, position, limit)
        assert len(page.records) <= limit
        found += page.records
        position = page.next_position
        if not position:
            return found


@pytest.mark.parametrize("examples", [12, pytest.param(150, marks=pytest.mark.slow)])
def test_any_order_of_calls_gives_what_the_model_gives(new_store: Callable[[], Store], examples: int) -> None:
    """Adding, replacing, deleting and listing; bodies stay exactly as long as somebody uses them."""

    @settings(max_examples=examples, deadline=None)
    @given(
        st.lists(RECORDS | SELECTORS, max_size=25),
        st.lists(FILTERS, min_size=1, max_size=4),
        st.integers(1, 9),
    )
    def check(calls: list[Record | Selector], filters: list[Filter], limit: int) -> None:
        store, model = new_store(), PlainRecords()
        for call in calls:
            if isinstance(call, Record):
                # Otherwise a shared store takes it for one that came before the deletion, by another clock.
                later = datetime.now(UTC) + timedelta(seconds=MARGIN_SECONDS + 1)
                again = dataclasses.replace(call, accepted=later)
                store.records.add(again, call.body.encode(), None)
                model.stored[again.summary.name] = again
            else:
                assert store.records.delete(call, EVER).count == model.delete(call)
        for wanted in (Filter(), *filters):
            assert pages(store, wanted, limit) == model.list(wanted)
        for name, each in model.stored.items():
            found = store.records.get(name)
            assert found is not None
            assert (found.record, found.body) == (each, each.body.encode())
        store.close()

    check()


@pytest.mark.parametrize("new_store", few_of(KINDS, "file", "redis"), indirect=True)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 9))])
def test_pages_lose_and_repeat_nothing_while_others_write(new_store: Callable[[], Store], seed: int) -> None:
    """What is there from the first page to the last is listed once; what was deleted before it, never; what was added
    after it, never again twice. Four threads add and delete meanwhile.
    """
    store = new_store()
    lasting = [record(2 * number, labels={"kind": "lasting"}) for number in range(90)]
    doomed = [record(2 * number + 1, caller_id=f"doomed {number}") for number in range(90)]
    for each in (*lasting, *doomed):
        store.records.add(each, b"", None)
    deleted_before = doomed[seed::7]
    for each in deleted_before:
        store.records.delete(CallerSelector(each.summary.caller_id), EVER)
    stop = threading.Event()

    def disturb(worker: int) -> None:
        number = 1000 + worker
        remaining = [each for each in doomed if each not in deleted_before][worker::4]
        while not stop.is_set():
            store.records.add(record(number, caller_id=f"new {worker}"), b"", None)
            if remaining:
                store.records.delete(CallerSelector(remaining.pop().summary.caller_id), EVER)
            elif number % 3 == 0:
                store.records.delete(CallerSelector(f"new {worker}"), EVER)
            number += 4

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(disturb, worker) for worker in range(4)]
        for limit in (3, 17, 50):
            names = [each.summary.name for each in pages(store, Filter(), limit)]
            assert len(names) == len(set(names))
            assert {each.summary.name for each in lasting} <= set(names)
            assert not {each.summary.name for each in deleted_before} & set(names)
            labelled = pages(store, Filter(labels={"kind": "lasting"}), limit)
            assert [each.summary for each in labelled] == [each.summary for each in reversed(lasting)]
        stop.set()
        for each in running:
            each.result(60)
