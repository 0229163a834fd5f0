"""What the records of every backend promise."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from adapters.store.backends import redis_server, store, three_nodes, valkey_server
from adapters.store.record_samples import BODY, delete, listed, record, stored
from adapters.store.redis_stores import shared
from adapters.store.store_samples import NOON
from redis_server import RedisServer
from sequela.adapters.store.ports import Records, Store
from sequela.adapters.store.redis.deletion_log import MARGIN_SECONDS
from sequela.adapters.store.sqlite.store import memory_store
from sequela.errors import InvalidInput
from sequela.explain.explanation import TargetScore
from sequela.explain.explanation_query import CallerSelector, Filter, LabelSelector, NameSelector, Selector
from sweeps import few_of
from waiting import eventually

__all__ = ["redis_server", "store", "three_nodes", "valkey_server"]


@pytest.fixture
def records(store: Store) -> Records:
    """Empty records of each backend."""
    return store.records


def test_a_record_is_found_as_it_was(records: Records) -> None:
    """By its name and by its key, in every field."""
    made = record(1, caller_id="alert \N{SNOWMAN}", labels={"team": "ato", "": "empty"})
    records.add(made, b"body", "key")
    assert records.get("explanations/e1") == stored(made, b"body")
    assert records.answer("key") == stored(made, b"body")
    assert records.page(Filter(), "", 9).records == (made,)


def test_what_is_not_there(records: Records) -> None:
    """No record, no answer, an empty page, nothing deleted."""
    assert records.get("explanations/e1") is None
    assert records.answer("key") is None
    assert records.page(Filter(), "", 9).records == ()
    assert delete(records, NameSelector("explanations/e1")) == 0


def test_a_key_leads_to_the_last_record(records: Records) -> None:
    """One without a key leaves it."""
    made = record(2, body=b"two")
    records.add(record(1, body=b"one"), b"one", "key")
    records.add(made, b"two", "key")
    records.add(record(3), b"three", None)
    assert records.answer("key") == stored(made, b"two")


def test_a_name_that_is_stored_again_is_replaced(records: Records) -> None:
    """In lists of what it was and of what it is."""
    records.add(record(1, caller_id="a", labels={"k": "1"}), b"one", None)
    again = record(1, caller_id="b", labels={"k": "2"}, body=b"two", create_time=NOON + timedelta(seconds=9))
    records.add(again, b"two", None)
    assert records.get("explanations/e1") == stored(again, b"two")
    assert listed(records) == ["e1"]
    assert listed(records, Filter(caller_id="a")) == listed(records, Filter(labels={"k": "1"})) == []
    assert listed(records, Filter(caller_id="b")) == listed(records, Filter(labels={"k": "2"})) == ["e1"]


def test_pages_are_newest_first_and_stable(records: Records) -> None:
    """Also for records of the same microsecond; what is added or deleted meanwhile shifts no page."""
    for number in (3, 0, 4, 1, 2):
        records.add(record(number), b"", None)
    records.add(record(2, name="explanations/e2-twin"), b"", None)
    expected = ["e4", "e3", "e2", "e2-twin", "e1", "e0"]
    for limit in (1, 2, 3, 6, 7):
        assert listed(records, limit=limit) == expected
    first = records.page(Filter(), "", 2)
    records.add(record(99), b"", None)
    delete(records, NameSelector("explanations/e3"))
    second = records.page(Filter(), first.next_position, 2)
    assert [each.summary.name for each in second.records] == ["explanations/e2", "explanations/e2-twin"]


def test_filters(records: Records) -> None:
    """Each alone and together, against `Filter.matches`."""
    models = ["models/m/versions/1", "models/m/versions/2", "models/m2/versions/1"]
    made = [
        record(
            number,
            caller_id=f"alert {number // 4}",
            model=models[number % 3],
            labels={"parity": str(number % 2), "team": "ato"},
            targets=(TargetScore("fraud", None, 0.0, None, number / 4),) if number else (),
        )
        for number in range(12)
    ]
    for each in made:
        records.add(each, b"", None)
    start, end = NOON + timedelta(seconds=2), NOON + timedelta(seconds=9)
    for wanted in (
        Filter(),
        Filter(caller_id="alert 1"),
        Filter(caller_id="alert"),
        Filter(model="m"),
        Filter(model="models/m"),
        Filter(model="m/2"),
        Filter(model="models/m/versions/2"),
        Filter(model="models/m2"),
        Filter(labels={"parity": "1"}),
        Filter(labels={"parity": "1", "team": "ato"}),
        Filter(labels={"parity": "1", "team": "other"}),
        Filter(start=start, end=end),
        Filter(start=start + timedelta(microseconds=1), end=end + timedelta(microseconds=1)),
        Filter(end=start),
        Filter(start=end),
        Filter(min_score=1.0),
        Filter(max_score=1.0),
        Filter(min_score=0.5, max_score=2.25),
        Filter(min_score=3.0),
        Filter(min_score=-1e300, model="m2"),
        Filter(
            caller_id="alert 1",
            model="m",
            labels={"parity": "0"},
            end=NOON + timedelta(seconds=6),
            min_score=1,
        ),
    ):
        expected = [f"e{n}" for n in reversed(range(12)) if wanted.matches(made[n].summary)]
        for limit in (2, 100):
            assert listed(records, wanted, limit) == expected, wanted


@pytest.mark.parametrize(
    "selector", [CallerSelector("a"), LabelSelector("team", "x"), NameSelector("explanations/e1")]
)
def test_a_deletion_reaches_what_it_selects(records: Records, selector: Selector) -> None:
    """By name, key and list, and nothing else; a shared body stays for the others."""
    made = [
        record(number, caller_id="ab"[number % 2], labels={"team": "xy"[number // 2 % 2]})
        for number in range(8)
    ]
    for number, each in enumerate(made):
        records.add(each, b"shared", f"key {number}")
    gone = [number for number in range(8) if selector.matches(made[number].summary)]
    assert delete(records, selector) == len(gone) > 0
    assert listed(records) == [f"e{number}" for number in reversed(range(8)) if number not in gone]
    for number, each in enumerate(made):
        expected = None if number in gone else stored(each, b"shared")
        assert records.get(each.summary.name) == records.answer(f"key {number}") == expected
    assert delete(records, selector) == 0


@pytest.mark.parametrize(
    "ahead", [timedelta(seconds=3), pytest.param(timedelta(hours=5), marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "selector", [CallerSelector("a"), LabelSelector("team", "x"), NameSelector("explanations/e1")]
)
def test_a_deletion_reaches_what_a_clock_ahead_has_accepted(
    records: Records, selector: Selector, ahead: timedelta
) -> None:
    """It is in the store, so it goes, whatever its time."""
    made = record(1, caller_id="a", labels={"team": "x"}, accepted=datetime.now(UTC) + ahead)
    records.add(made, BODY, "key")
    assert delete(records, selector) == 1
    assert records.get("explanations/e1") is records.answer("key") is None
    assert listed(records) == listed(records, Filter(caller_id="a")) == []
    assert delete(records, selector) == 0


def test_what_was_accepted_before_a_deletion_is_not_stored_after_it(records: Records) -> None:
    """What is accepted later is."""
    accepted = datetime.now(UTC)
    for selector in (CallerSelector("a"), LabelSelector("k", "v"), NameSelector("explanations/e3")):
        delete(records, selector)
    late = [record(1, caller_id="a"), record(2, labels={"k": "v", "l": "w"}), record(3), record(4)]
    for number, each in enumerate(late):
        records.add(dataclasses.replace(each, accepted=accepted), b"", f"key {number}")
    assert listed(records) == ["e4"]
    assert records.answer("key 0") is None
    later = datetime.now(UTC) + timedelta(
        seconds=MARGIN_SECONDS + 1
    )  # clocks of replicas may differ by that much
    for number, each in enumerate(late):
        records.add(dataclasses.replace(each, accepted=later), b"", f"key {number}")
    assert listed(records) == ["e4", "e3", "e2", "e1"]


def test_a_record_goes_when_it_expires(records: Records) -> None:
    """From every reader."""
    soon = record(1, caller_id="a", expires=datetime.now(UTC) + timedelta(seconds=0.1))
    records.add(soon, b"", "key")
    records.add(record(2, caller_id="a"), b"", None)
    eventually(lambda: records.get("explanations/e1") is None)
    # Redis counts whole milliseconds, so readers may notice it one after the other.
    eventually(lambda: listed(records) == ["e2"])
    assert records.answer("key") is None
    assert listed(records, Filter(caller_id="a")) == ["e2"]


@pytest.mark.parametrize(
    "position",
    few_of(
        ["abc", "|", f"{2**64}|explanations/e1", f"{-(2**63)}|", "1|\udcff", "\u0661|a", ":"],
        *("abc", f"{2**64}|explanations/e1", "1|\udcff"),
    ),
)
def test_a_position_of_no_store_is_refused(records: Records, position: str) -> None:
    """A token that was made up is the caller's mistake."""
    records.add(record(1, labels={"k": "v"}), b"", None)
    for wanted in (Filter(), Filter(labels={"k": "v"})):
        with pytest.raises(InvalidInput, match="page_token: is of another store; omit it") as error:
            records.page(wanted, position, 9)
        assert error.value.reason == "PAGE_TOKEN_INVALID"


def test_a_position_of_another_store_is_refused(records: Records, redis_server: RedisServer) -> None:
    """Of Redis in a file, and the other way."""
    memory, redis = memory_store(), shared(redis_server)
    positions = []
    for other in (memory.records, redis.records):
        for number in range(3):
            other.add(record(number), b"", None)
        positions.append(other.page(Filter(), "", 1).next_position)
    redis.close()
    ours = 0
    for position in positions:
        try:
            records.page(Filter(), position, 1)
            ours += 1
        except InvalidInput as error:
            assert error.reason == "PAGE_TOKEN_INVALID"  # noqa: PT017  # one of the two is no error
    assert ours == 1
