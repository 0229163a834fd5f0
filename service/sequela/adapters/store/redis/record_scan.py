"""Reads pages of records from the indexes in Redis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sequela.adapters.store.envelope import Unreadable
from sequela.adapters.store.page_tokens import foreign_position
from sequela.adapters.store.ports import Record, RecordPage
from sequela.adapters.store.redis.command import SORTED_SET, Command
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.deletion_log import DeletionLog
from sequela.adapters.store.redis.record_keys import (
    RecordKeys,
    countdown,
    filter_scope,
    hour_of,
    member_place,
    member_sealed,
)
from sequela.adapters.store.serialization import decode_record
from sequela.adapters.store.skip_log import SkipLog
from sequela.explain.explanation_query import Filter

MAX_EXAMINED = 1_000
"""The largest number of records to look at for one page. A page that reaches it is short, and has a next page."""

_POSITION = re.compile(r"(-?[0-9a-f]{1,15}):((?:[0-9a-f]{2})*)")
_HEXADECIMAL = frozenset(b"0123456789abcdef")
_MAX_PLACE_BYTES = 1_000  # of a member that cannot be read, since a place becomes part of a page token

_MORE_HOURS = 8
"""Hours that are read together, if the latest two were not enough; each time four times as many."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in the indexes of a scope: an hour, and what was read of it."""

    hour: int
    after: bytes

    @property
    def position(self) -> str:
        return f"{self.hour:x}:{self.after.hex()}"

    @classmethod
    def at(cls, position: str) -> _Place:
        found = _POSITION.fullmatch(position)
        if found is None:  # another kind of store made it, or a caller did
            raise foreign_position()
        return cls(int(found[1], 16), bytes.fromhex(found[2]))

    @classmethod
    def after_unreadable(cls, hour: int, listed: bytes) -> _Place:
        """Returns a place after a member that cannot be read, and before all readable ones that follow."""
        if len(listed) <= _MAX_PLACE_BYTES:
            return cls(hour, listed)
        # Readable members are shorter in what they sort by, so none is among those that begin in the same way.
        start = listed[:_MAX_PLACE_BYTES].rstrip(b"\xff")
        return cls(hour, start[:-1] + bytes([start[-1] + 1])) if start else cls(hour - 1, b"")


@dataclass(slots=True)
class _Scan:
    """What was found for one page so far."""

    limit: int
    examined: int = 0
    place: _Place | None = None
    found: list[tuple[Record, _Place]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return len(self.found) > self.limit or self.examined >= MAX_EXAMINED

    def page(self, finished: bool) -> RecordPage:
        kept = self.found[: self.limit]
        records = tuple(record for record, _ in kept)
        # One record more than wanted was looked for, so that a last page is known to be the last.
        place = kept[-1][1] if len(self.found) > self.limit else None if finished else self.place
        return RecordPage(records, place.position if place else "")


class RecordReader:
    """Reads pages of a scope, hour after hour.

    Args:
        connection: The connection to Redis.
        deletions: What was deleted.
        skips: Is told of members that cannot be read.
    """

    def __init__(self, connection: RedisConnection, deletions: DeletionLog, skips: SkipLog) -> None:
        self._connection = connection
        self._keys = RecordKeys(connection.namespace)
        self._deletions = deletions
        self._skips = skips

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`. One round trip if the latest two hours fill the page, otherwise a few."""
        scope, first = filter_scope(wanted), _first_place(wanted, after)
        scan, group, cut = _Scan(limit), _MORE_HOURS, False
        known, buckets = self._start(scope, [first.hour, first.hour - 1], first, _first_count(wanted, limit))
        hours = _hours(known, first.hour if after or wanted.end else None, wanted.start)
        while hours:
            if hours[0] not in buckets:
                # An hour of which there was more has many, and few match. Others are read together.
                chosen = hours[:1] if cut else hours[:group]
                group = group if cut else 4 * group
                count = max(limit + 1, (MAX_EXAMINED - scan.examined) // len(chosen))
                buckets = self._buckets(scope, chosen, first, count) | ({} if not cut else buckets)
            members, cut = buckets.pop(hours[0])
            self._take(scan, wanted, hours[0], members)
            if scan.ended:
                break
            # There may be more of this hour, so read on after its last member; otherwise continue with the next hour.
            if cut and scan.place is not None and scan.place.hour == hours[0]:
                first = scan.place
            else:
                hours.pop(0)
        return scan.page(finished=not hours)

    def members(self, scope: str, at_once: int) -> Iterable[list[bytes]]:
        """Yields the members of all indexes of a scope, some at a time."""
        (known,) = self._connection.pipeline([self._hours(scope)])
        for hour in _hours(known, None, None):
            place = _Place(hour, b"")
            while True:
                (found,) = self._connection.pipeline([self._bucket(scope, hour, place, at_once)])
                if found:
                    yield found
                if len(found) < at_once:
                    break
                place = _Place(hour, found[-1])

    def _start(
        self, scope: str, guess: Sequence[int], first: _Place, count: int
    ) -> tuple[list[bytes], dict[int, tuple[list[bytes], bool]]]:
        """Reads which hours there are, the hours that are likely, and what was deleted."""
        commands = [self._bucket(scope, hour, first, count) for hour in guess]
        known, *found, deleted = self._connection.pipeline(
            [self._hours(scope), *commands, self._deletions.command]
        )
        self._deletions.read(deleted)
        return known, _buckets(guess, found, count)

    def _buckets(
        self, scope: str, hours: Sequence[int], first: _Place, count: int
    ) -> dict[int, tuple[list[bytes], bool]]:
        found = self._connection.pipeline([self._bucket(scope, hour, first, count) for hour in hours])
        return _buckets(hours, found, count)

    def _hours(self, scope: str) -> Command:
        return Command.on(SORTED_SET, "ZRANGE", self._keys.hours(scope), 0, -1)

    def _bucket(self, scope: str, hour: int, first: _Place, count: int) -> Command:
        start = b"(" + first.after if hour == first.hour and first.after else b"-"
        key = self._keys.made(scope, hour)
        return Command.on(SORTED_SET, "ZRANGEBYLEX", key, start, "+", "LIMIT", 0, count)

    def _take(self, scan: _Scan, wanted: Filter, hour: int, members: Iterable[bytes]) -> None:
        now = datetime.now(UTC)
        for listed in members:
            if scan.ended:
                return
            scan.examined += 1
            try:
                record = decode_record(member_sealed(listed))
                scan.place = _Place(hour, member_place(listed))
            except Unreadable as unreadable:
                scan.place = _Place.after_unreadable(hour, listed)
                self._skips.skip(unreadable.reason, listed[:80].decode(errors="surrogateescape"))
                continue
            if record.expires > now and wanted.matches(record.summary) and not self._deletions.covers(record):
                scan.found.append((record, scan.place))


def _first_place(wanted: Filter, after: str) -> _Place:
    if after:
        return _Place.at(after)
    if wanted.end is None:
        return _Place(hour_of(datetime.now(UTC)), b"")
    # '~' sorts after '|', so this is after all members of that microsecond.
    return _Place(hour_of(wanted.end), f"{countdown(wanted.end)}~".encode())


def _hours(known: Iterable[bytes], newest: int | None, start: datetime | None) -> list[int]:
    """Returns the hours to read, the latest first."""
    oldest = 0 if start is None else hour_of(start)
    numbers = {int(each, 16) for each in known if _HEXADECIMAL.issuperset(each) and len(each) < 16}
    return sorted((n for n in numbers if oldest <= n <= (n if newest is None else newest)), reverse=True)


def _first_count(wanted: Filter, limit: int) -> int:
    """Returns how many members to read of each of the latest two hours: more if some of them may not match."""
    conditions = (wanted.caller_id, *(wanted.labels or ()))
    scope_is_enough = len([each for each in conditions if each]) <= 1
    matches_all = (
        scope_is_enough and not wanted.model and (wanted.min_score, wanted.max_score) == (None, None)
    )
    return limit + 1 if matches_all else min(4 * (limit + 1), MAX_EXAMINED)


def _buckets(
    hours: Sequence[int], found: Sequence[list[bytes]], count: int
) -> dict[int, tuple[list[bytes], bool]]:
    """Returns the members of each hour, and whether there may be more of them."""
    return {hour: (members, len(members) == count) for hour, members in zip(hours, found, strict=True)}
