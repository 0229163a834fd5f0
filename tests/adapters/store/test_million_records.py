"""Pages of a million records in Redis take far less time than reading them all."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from adapters.store.record_samples import record
from adapters.store.redis_place import Place
from adapters.store.store_samples import NOON
from redis_server import RedisServer, redis_server
from sequela.adapters.store.envelope import RECORD, seal, unseal
from sequela.adapters.store.redis.record_keys import countdown, hour_of
from sequela.adapters.store.scopes import selector_digest
from sequela.adapters.store.serialization import encode_record
from sequela.explain.explanation import TargetScore
from sequela.explain.explanation_query import CallerSelector, Filter

__all__ = ["redis_server"]

HOUR = timedelta(hours=1)
ISO = "%Y-%m-%dT%H:%M:%S.%fZ"
SCORE = TargetScore("s", 0, 0, 0, 7.25)
LIKE = record(name="explanations/@name@", caller_id="@caller@", targets=(SCORE,), create_time=NOON)
TEMPLATE = unseal(RECORD, encode_record(LIKE)).decode()


def fast_member(number: int, when: datetime, caller_id: str) -> bytes:
    """Returns the member of a record, made much faster than a record is made."""
    name = f"explanations/e{number}"
    # The score first, because a time may contain the same digits.
    content = TEMPLATE.replace("7.25", f"{number}.0").replace(LIKE.summary.name, name)
    content = content.replace("@caller@", caller_id).replace(NOON.strftime(ISO), when.strftime(ISO))
    return f"{countdown(when)}|{name}\0".encode() + seal(RECORD, content.encode())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_page_of_a_million_records(redis_server: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty of a million, spread over a day, for each kind of filter: the 99th percentile is printed. The bound is
    a tenth of what it takes here to read all, as a twenty-fourth of them shows.
    """
    place = Place(redis_server)
    now, total, alerts, at_once = datetime.now(UTC), 1_000_000, 10_000, 5_000
    for start in range(0, total, at_once):
        indexes: dict[tuple[str, int], dict[bytes, int]] = defaultdict(dict)
        for number in range(start, start + at_once):
            when, caller_id = now - number * timedelta(hours=24) / total, f"a{number % alerts}"
            listed_as = fast_member(number, when, caller_id)
            indexes["all", hour_of(when)][listed_as] = 0
            if number % 100 == 7:
                indexes[selector_digest(CallerSelector(caller_id)), hour_of(when)][listed_as] = 0
        commands = place.client.pipeline(transaction=False)
        for (scope, hour), members in indexes.items():
            commands.zadd(f"{place.namespace}made:{scope}:{hour:x}", members)
            commands.zadd(f"{place.namespace}hours:{scope}", {f"{hour:x}": 0})
        commands.execute()
    wanted = {
        "latest": Filter(),
        "before noon": Filter(end=now - 11 * HOUR),
        "one caller": Filter(caller_id="a7"),
        "score of a few": Filter(min_score=total * 0.99),
    }
    readings = []
    for _ in range(5):
        begin = time.perf_counter()
        assert place.client.zrange(f"{place.namespace}made:all:{hour_of(now - 11 * HOUR):x}", 0, -1)
        readings.append(time.perf_counter() - begin)
    reading_all_ms = 24_000 * median(readings)
    trips = place.count_round_trips()
    for name, each in wanted.items():
        seconds, position = [], ""
        trips.clear()
        for _ in range(200):
            begin = time.perf_counter()
            page = place.records.page(each, position, 50)
            seconds.append(time.perf_counter() - begin)
            position = page.next_position
        seconds.sort()
        p50, p99 = (1000 * seconds[int(share * len(seconds))] for share in (0.5, 0.99))
        with capsys.disabled():
            text = f"\na page of 50 of {total} records, {name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms\n"
            sys.stdout.write(text)
        assert p50 < reading_all_ms / 10
        if name in ("latest", "before noon"):
            assert len(trips) == len(seconds)  # one for each page
    place.client.flushall()
    place.connection.close()
