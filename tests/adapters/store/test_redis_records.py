"""What only Redis has to do with records: keys that expire, indexes by the hour, strange entries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from adapters.store.record_samples import BODY, EVER, delete, listed, record, stored
from adapters.store.redis_place import Place
from adapters.store.store_samples import NOON
from redis_server import RedisServer, redis_server
from sequela.adapters.store.record_cache import COPY_SECONDS, RecordCache
from sequela.adapters.store.redis import records
from sequela.adapters.store.redis.record_keys import hour_of, member
from sequela.adapters.store.redis.record_scan import MAX_EXAMINED
from sequela.adapters.store.redis.records import RedisRecords
from sequela.adapters.store.scopes import selector_digest
from sequela.adapters.store.serialization import encode_record
from sequela.explain.explanation import TargetScore
from sequela.explain.explanation_query import (
    CallerSelector,
    Deleted,
    Filter,
    LabelSelector,
    NameSelector,
    Selector,
)
from sequela.explain.telemetry import EntrySkipped
from structlog.testing import capture_logs
from waiting import eventually

__all__ = ["redis_server"]

HOUR = timedelta(hours=1)


@pytest.fixture
def place(redis_server: RedisServer) -> Iterator[Place]:
    """Empty."""
    made = Place(redis_server)
    yield made
    made.connection.close()


def test_everything_expires(place: Place) -> None:
    """No key goes before its record does, and none stays but the log of deletions, which must not be evicted."""
    place.records.add(record(1, caller_id="a", labels={"k": "v"}), BODY, "key")
    place.records.add(record(2, expires=datetime.now(UTC) + HOUR), BODY, "other")
    delete(place.records, CallerSelector("nobody"))
    lives = {key: place.client.ttl(place.namespace + key) for key in place.found()}
    week = 7 * 86_400
    assert lives.pop("deletions") == -1
    assert lives.pop("record:explanations/e2") <= 3600
    assert lives.pop("answer:other") <= 3600
    assert {key for key, seconds in lives.items() if not week - 60 < seconds <= week + 1} == set()
    assert len(lives) == 10  # record, answer, body, users, and three indexes with their hours


def test_old_deletions_are_forgotten(place: Place) -> None:
    """When the next one comes, though the log does not expire."""
    records = RedisRecords(place.connection, keep_seconds=0.05)
    delete(records, CallerSelector("early"))
    time.sleep(0.06)
    delete(records, CallerSelector("late"))
    (entry,) = place.client.zrange(f"{place.namespace}deletions", 0, -1)
    assert entry.decode().endswith(selector_digest(CallerSelector("late")))


def test_a_deletion_holds_for_replicas_whose_clocks_are_ahead(place: Place) -> None:
    """By up to five seconds, as the docs say; what is accepted after that is added."""
    before = datetime.now(UTC)
    delete(place.records, CallerSelector("a"))
    after = datetime.now(UTC)
    for number, now, seconds in ((1, before, -1), (2, before, 4), (3, after, 7)):
        ahead = record(number, caller_id="a", accepted=now + timedelta(seconds=seconds))
        place.other().add(ahead, BODY, None)
    assert listed(place.records) == ["e3"]


def test_a_body_lives_as_long_as_its_last_user(place: Place) -> None:
    """However often it is used; it is written again if it is missing, and goes with the last user."""
    (soon, late), name = (record(1, expires=datetime.now(UTC) + HOUR), record(2)), f"body:{{{record().body}}}"
    key = place.namespace + name
    place.records.add(late, BODY, None)
    place.records.add(soon, BODY, None)
    assert place.client.ttl(key) > 6 * 86_400
    place.client.delete(key)
    assert place.records.get("explanations/e1") is None
    place.records.add(record(3), BODY, None)
    assert place.records.get("explanations/e1") == stored(soon)
    delete(place.records, NameSelector("explanations/e2"))
    delete(place.records, NameSelector("explanations/e1"))
    assert name in place.found()
    delete(place.records, NameSelector("explanations/e3"))
    assert [each for each in place.found() if not each.startswith(("hours:", "deletions"))] == []


def test_equal_records_of_two_replicas_are_one(place: Place) -> None:
    """The same name with other times, as when both computed it; and the same record sent twice."""
    first, second = record(1), record(1, create_time=NOON + 5 * HOUR, caller_id="a")
    place.records.add(first, BODY, None)
    place.other().add(second, BODY, None)
    place.records.add(second, BODY, None)
    assert place.records.page(Filter(), "", 9).records == (second,)
    delete(place.records, NameSelector("explanations/e1"))
    assert place.found("body:") == place.found("users:") == place.found("record:") == []


def fill(place: Place, hours: int, each: int = 3) -> list[str]:
    """Adds records to some hours, and returns their names, the latest first."""
    made = []
    for hour in range(hours):
        for number in range(each):
            name = f"explanations/h{hour:03}-{number}"
            when = NOON + hour * 7 * HOUR + timedelta(seconds=number)
            made.append(record(name=name, create_time=when))
            place.records.add(made[-1], BODY, None)
    return [each.summary.name.removeprefix("explanations/") for each in reversed(made)]


def trips(place: Place) -> int:
    """How often Redis has read from connections so far."""
    return int(place.client.info("stats")["total_reads_processed"])


def test_pages_go_through_all_hours(place: Place) -> None:
    """Wherever a page ends, within an hour or between two."""
    names = fill(place, 40)
    middle = NOON + 100 * HOUR
    earlier = [name for name in names if int(name[1:4]) * 7 < 100]
    later = [name for name in names if name not in earlier]
    for limit in (1, 2, 3, 50, 1000):
        assert listed(place.records, limit=limit) == names, limit
        assert listed(place.records, Filter(end=middle), limit) == earlier, limit
        assert listed(place.records, Filter(start=middle), limit) == later, limit


def test_a_page_is_one_round_trip(place: Place) -> None:
    """If the latest two hours fill it, with filters or without; otherwise it is a few, whatever the number of hours."""
    now = datetime.now(UTC)
    for number in range(200):
        labels = {"parity": str(number % 2)}
        when = now - timedelta(seconds=number)
        place.records.add(record(number, create_time=when, caller_id="a", labels=labels), BODY, None)
    fill(place, 40)
    for wanted, most in (
        (Filter(), 1),
        (Filter(caller_id="a"), 1),
        (Filter(labels={"parity": "1"}), 1),
        (Filter(min_score=3.0), 1),
        (Filter(end=now - timedelta(seconds=99)), 1),
        (Filter(end=NOON + 300 * HOUR), 5),
        (Filter(labels={"parity": "2"}), 1),
    ):
        position = ""
        for _ in range(2):
            before = trips(place)
            page = place.records.page(wanted, position, 20)
            # Asking for the number is one more; the probe and the health check of other tests are not there.
            assert trips(place) - before - 1 <= most, wanted
            position = page.next_position
            if not position:
                break


def test_a_filter_that_matches_few_looks_at_a_limited_number(place: Place) -> None:
    """Pages are short, but lead to the end, where the only match is."""
    when = datetime.now(UTC) - 3 * HOUR
    commands = place.client.pipeline(transaction=False)
    for number in range(2 * MAX_EXAMINED + 500):
        each = record(
            number,
            create_time=when - timedelta(milliseconds=number),
            targets=(TargetScore("s", 0, 0, 0, 0.1),),
        )
        key = f"{place.namespace}made:all:{hour_of(each.summary.create_time):x}"
        commands.zadd(key, {member(each.summary, encode_record(each)): 0})
        commands.zadd(f"{place.namespace}hours:all", {f"{hour_of(each.summary.create_time):x}": 0})
    commands.execute()
    place.records.add(record(99, create_time=when - 2 * HOUR), BODY, None)
    pages, position = [], ""
    while True:
        before = trips(place)
        page = place.records.page(Filter(min_score=5.0), position, 10)
        assert trips(place) - before - 1 <= 5
        pages.append(len(page.records))
        position = page.next_position
        if not position:
            break
    assert sum(pages) == 1
    assert 3 <= len(pages) <= 5


def test_strange_entries_are_skipped_and_counted(place: Place) -> None:
    """Of other programs, not UTF-8, damaged, of another version: nothing fails, no list goes round in circles."""
    made = record(1, create_time=datetime.now(UTC))
    place.records.add(made, BODY, "key")
    key = f"{place.namespace}made:all:{hour_of(made.summary.create_time):x}"
    ours = place.client.zrange(key, 0, -1)[0]
    place_of, _, sealed = ours.partition(b"\x00")
    strange = [b"foreign", b"\xff\xfe", b"0", b"|", b"~", ours[:-1] + b"?", place_of + b"x\x00" + sealed[:-9]]
    newer = sealed[:3] + b"\x09" + sealed[4:]
    place.client.zadd(key, dict.fromkeys([*strange, place_of + b"y\x00" + newer], 0))
    place.client.zadd(f"{place.namespace}hours:all", {b"\xff": 0, b"zz": 0, b"ffffffffffffffffffffff": 0})
    place.client.zadd(f"{place.namespace}deletions", {b"\xff\xfe": 0, b"zzz": 0})
    for limit in (1, 2, 50):
        assert listed(place.records, limit=limit) == ["e1"]
    reasons = {each.reason for each in place.heard.of(EntrySkipped)}
    assert reasons == {"foreign", "damaged", "version"}
    assert place.records.get("explanations/e1") == stored(made)
    for garbage in (b"", b"\n", b"garbage", b"\xff\n\xff"):
        place.client.set(f"{place.namespace}record:explanations/e1", garbage)
        assert place.records.get("explanations/e1") is None
        place.client.set(f"{place.namespace}answer:key", garbage)
        assert place.records.answer("key") is None
    place.records.add(made, BODY, "key")
    assert place.records.answer("key") == stored(made)


def test_a_bucket_of_strange_entries_has_an_end(place: Place) -> None:
    """More of them than one page looks at."""
    now = datetime.now(UTC)
    key = f"{place.namespace}made:all:{hour_of(now):x}"
    place.client.zadd(key, {b"\xff%d" % number: 0 for number in range(3 * MAX_EXAMINED)})
    place.client.zadd(f"{place.namespace}hours:all", {f"{hour_of(now):x}": 0})
    place.records.add(record(1, create_time=now - HOUR), BODY, None)
    assert listed(place.records, limit=50) == ["e1"]


@pytest.mark.parametrize("start", [b"f", b"f\xff", b"\xff", b"\xff" * 999 + b"f", b"0|a\x00"])
def test_long_strange_entries_have_an_end(place: Place, start: bytes) -> None:
    """Though they begin in the same way for longer than a place in a token may be."""
    now = datetime.now(UTC)
    key = f"{place.namespace}made:all:{hour_of(now):x}"
    long = {start + b"\xff" * 1500 + b"%04d" % number: 0 for number in range(MAX_EXAMINED + 200)}
    place.client.zadd(key, long | {b"\xff" * 3000: 0})
    for number, when in enumerate((now, now - HOUR)):
        place.records.add(record(number, create_time=when), BODY, None)
    for limit in (1, 50):
        names, position, seen = [], "", set()
        while position not in seen:
            seen.add(position)
            page = place.records.page(Filter(), position, limit)
            names += [each.summary.name for each in page.records]
            position = page.next_position
            if not position:
                break
        assert not position, "a list without an end"
        assert names == ["explanations/e0", "explanations/e1"]


def test_a_deletion_says_that_an_index_was_evicted(place: Place) -> None:
    """It may have passed over records that this index listed. Nobody finds these any more, but their bytes stay."""
    for number in (1, 2):
        place.records.add(record(number, caller_id="a", labels={"k": str(number)}), BODY, None)
    place.client.delete(*(place.namespace + key for key in place.found("made:") if ":all:" not in key))
    assert place.records.delete(LabelSelector("k", "1"), EVER) == Deleted(0, complete=True)
    assert place.records.get("explanations/e1") is None
    with capture_logs() as logged:
        assert place.records.delete(NameSelector("explanations/e1"), EVER) == Deleted(1, complete=False)
    assert [line["event"] for line in logged] == ["index missing"]
    assert place.records.delete(NameSelector("explanations/e1"), EVER) == Deleted(0, complete=True)


def test_a_deletion_passes_no_record_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that begins as a damaged entry before it does."""
    monkeypatch.setattr(records, "DELETED_AT_ONCE", 1)
    made = record(1, caller_id="a")
    place.records.add(made, BODY, None)
    key = (
        f"{place.namespace}made:{selector_digest(CallerSelector('a'))}:{hour_of(made.summary.create_time):x}"
    )
    place_of = place.client.zrange(key, 0, -1)[0].partition(b"\x00")[0]
    place.client.zadd(key, {place_of + b"\x00": 0})
    assert delete(place.records, CallerSelector("a")) == 1


def test_a_long_deletion_goes_on_in_the_background(place: Place) -> None:
    """What it selects is gone for all at once, and its bytes soon."""
    for number in range(250):
        place.records.add(record(number, labels={"team": "ato"}), BODY, f"key {number}")
    other = place.other()
    done = place.records.delete(LabelSelector("team", "ato"), time.monotonic() - 1)
    assert (done.count, done.complete) == (0, False)
    assert listed(other) == []
    assert other.answer("key 7") is None
    assert other.get("explanations/e9") is None
    eventually(lambda: [each for each in place.found() if not each.startswith(("hours:", "deletions"))] == [])
    assert delete(place.records, LabelSelector("team", "ato")) == 0


def test_no_id_of_a_caller_is_left_after_a_deletion(place: Place) -> None:
    """Neither in keys nor in values."""
    place.records.add(record(1, caller_id="alert-4711", labels={"person": "Ms-Example"}), BODY, "key")
    delete(place.records, CallerSelector("alert-4711"))
    left = b"".join(b"".join(place.client.zrange(place.namespace + key, 0, -1)) for key in place.found())
    for text in ("alert-4711", "Ms-Example", "explanations/e1"):
        assert text.encode() not in left
        assert not [key for key in place.found() if text in key]


def test_a_deletion_reaches_copies_in_other_processes_within_a_minute(place: Place) -> None:
    """A copy is kept for 45 seconds, by a clock of the test's own."""
    assert COPY_SECONDS <= 60
    here = RecordCache(place.records, 1 << 20)
    now = [1000.0]
    there = RecordCache(place.other(), 1 << 20, clock=lambda: now[0])
    for number in (1, 2):
        here.add(record(number, caller_id="a"), BODY, f"key {number}")
        assert here.get(f"explanations/e{number}") == there.get(f"explanations/e{number}")
    place.client.delete(f"{place.namespace}record:explanations/e2")
    assert there.get("explanations/e2") is not None  # the copy
    delete(here, CallerSelector("a"))
    assert here.get("explanations/e1") is None
    now[0] += COPY_SECONDS
    assert there.get("explanations/e1") is None
    assert there.answer("key 1") is None
    assert listed(there) == []


def test_what_is_read_while_it_is_deleted_leaves_no_copy(place: Place) -> None:
    """Another thread reads it after the request to delete it has come, and before it is deleted."""
    shared = place.records

    class Interrupted:
        def delete(self, wanted: Selector, until: float) -> Deleted:
            assert here.get("explanations/e1") is not None
            return shared.delete(wanted, until)

        def __getattr__(self, name: str) -> object:
            return getattr(shared, name)

    here = RecordCache(Interrupted(), 1 << 20)
    here.add(record(1, caller_id="a"), BODY, None)
    assert delete(here, CallerSelector("a")) == 1
    assert here.get("explanations/e1") is None
