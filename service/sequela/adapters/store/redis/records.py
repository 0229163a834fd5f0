"""Explanations in Redis. `record_keys` says which keys there are."""

from __future__ import annotations

import hashlib
import itertools
import operator
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from sequela.adapters.store.envelope import Unreadable
from sequela.adapters.store.ports import Addition, Record, RecordPage, StoreDown, StoredRecord
from sequela.adapters.store.redis.command import (
    ADD_BODY,
    ADD_MEMBER,
    COMPARE_AND_DELETE,
    DELETE_RECORD,
    RELEASE_BODY,
    SORTED_SET,
    STRING,
    Command,
)
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.deletion_log import DeletionLog
from sequela.adapters.store.redis.record_keys import (
    RecordKeys,
    hour_of,
    join_answer_key,
    member,
    member_sealed,
    sealed_part,
)
from sequela.adapters.store.redis.record_scan import RecordReader
from sequela.adapters.store.scopes import scopes, selector_digest
from sequela.adapters.store.serialization import decode_record, encode_record
from sequela.adapters.store.skip_log import SkipLog
from sequela.adapters.store.timestamps import milliseconds
from sequela.explain.explanation_query import Deleted, Filter, NameSelector, Selector

DELETED_AT_ONCE = 100
"""Records that are deleted in one round trip: about a thousand commands, a few hundredths of a second."""

KEEP_SECONDS = 7 * 86_400.0
"""How long deletions are remembered by default: as long as explanations are kept by default."""

_RETRY_SECONDS = 1.0
"""How long the thread that finishes a deletion waits while Redis is down."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record, and its bytes as they are stored."""

    record: Record
    sealed: bytes

    @property
    def user(self) -> str:
        """What stands for it among the users of its body."""
        return hashlib.sha256(self.sealed).hexdigest()[:32]

    @property
    def member(self) -> bytes:
        return member(self.record.summary, self.sealed)


class RedisRecords:
    """Implements `Records`.

    A record is written in one round trip. Nothing spans several keys of a cluster, so the order of the steps sees to it
    that readers find all of a record or nothing: what they find by name or in an index is complete in itself.

    Args:
        connection: The connection to Redis.
        keep_seconds: How long explanations are kept, and so deletions.
    """

    def __init__(self, connection: RedisConnection, keep_seconds: float = KEEP_SECONDS) -> None:
        self._connection = connection
        self._keys = RecordKeys(connection.namespace)
        self._deletions = DeletionLog(connection, keep_seconds)
        self._skips = SkipLog(connection.observer)
        self._reader = RecordReader(connection, self._deletions, self._skips)
        self._closed = threading.Event()

    def is_up(self) -> bool:
        """Returns whether Redis answered last time, as far as is known."""
        return self._connection.is_up

    def close(self) -> None:
        """Ends deletions that are running in the background."""
        self._closed.set()

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        self.add_all([Addition(record, body, answer_key)])

    def add_all(self, additions: Sequence[Addition]) -> None:
        """Adds records of different names in one round trip. Raises StoreDown."""
        wanted = [each for each in additions if not self._deletions.covers(each.record)]
        entries = [_Entry(each.record, encode_record(each.record)) for each in wanted]
        values = [join_answer_key(a.answer_key, e.sealed) for a, e in zip(wanted, entries, strict=True)]
        swaps = [self._swap(entry, value) for entry, value in zip(entries, values, strict=True)]
        writes = [command for a, e in zip(wanted, entries, strict=True) for command in self._writes(e, a)]
        *answers, deleted = self._connection.pipeline([*swaps, *writes, self._deletions.command])
        replaced = zip(answers[: len(swaps)], values, strict=True)
        former = [self._entry(sealed_part(old)) for old, value in replaced if old not in (None, value)]
        if removals := [command for entry in former if entry for command in self._removals(entry)]:
            self._connection.pipeline(removals)
        self._deletions.read(deleted)
        # A deletion that came before is in the log by now; one that comes later finds these records.
        self._remove([entry for entry in entries if self._deletions.covers(entry.record)])

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        value, deleted = self._connection.pipeline(
            [Command.on(STRING, "GET", self._keys.record(name)), self._deletions.command]
        )
        self._deletions.read(deleted)
        entry = None if value is None else self._entry(sealed_part(value))
        if entry is None or entry.record.expires <= datetime.now(UTC) or self._deletions.covers(entry.record):
            return None
        (body,) = self._connection.pipeline(
            [Command.on(STRING, "GET", self._keys.body(entry.record.body)[0])]
        )
        return None if body is None else StoredRecord(entry.record, body)

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`."""
        (name,) = self._connection.pipeline([Command.on(STRING, "GET", self._keys.answer(answer_key))])
        return None if name is None else self.get(name.decode(errors="replace"))

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`."""
        return self._reader.page(wanted, after, limit)

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Records`."""
        self._deletions.add(wanted)
        count, complete = 0, True
        for entries in self._selected(wanted):
            if time.monotonic() >= until:
                threading.Thread(
                    target=self._finish, args=(wanted,), name="store-deletion", daemon=True
                ).start()
                return Deleted(count, complete=False)
            removed = self._remove(entries)
            count, complete = count + removed.count, complete and removed.complete
        if not complete:
            detail = "deletions may pass over explanations that it listed; set maxmemory-policy noeviction"
            _log.warning("index missing", detail=detail)
        return Deleted(count, complete)

    def covers(self, record: Record) -> bool:
        """Returns whether a record was deleted, as far as this replica knows."""
        return self._deletions.covers(record)

    def _finish(self, wanted: Selector) -> None:
        while not self._closed.is_set():
            try:
                for entries in self._selected(wanted):
                    self._remove(entries)
                return
            except StoreDown:
                self._closed.wait(_RETRY_SECONDS)

    def _selected(self, wanted: Selector) -> Iterator[list[_Entry]]:
        """Yields the selected records, some at a time, whatever their times: clocks of replicas differ."""
        if isinstance(wanted, NameSelector):
            (value,) = self._connection.pipeline([Command.on(STRING, "GET", self._keys.record(wanted.name))])
            found = [] if value is None else [sealed_part(value)]
            yield [
                entry
                for sealed in found
                if (entry := self._entry(sealed)) and wanted.matches(entry.record.summary)
            ]
            return
        for members in self._reader.members(selector_digest(wanted), DELETED_AT_ONCE):
            entries = (self._entry(member_sealed(each)) for each in members)
            yield [entry for entry in entries if entry and wanted.matches(entry.record.summary)]

    def _remove(self, entries: Sequence[_Entry]) -> Deleted:
        """Removes records and whatever belongs to them alone. Returns how many were still there.

        It is not complete if an index did not list one of them: Redis has evicted that index, and so a deletion does
        not find all that it selects.
        """
        if not entries:
            return Deleted(0, complete=True)
        commands = [
            Command.script(
                DELETE_RECORD, {self._keys.record(entry.record.summary.name): STRING}, entry.sealed
            )
            for entry in entries
        ]
        others = [list(self._removals(entry)) for entry in entries]
        given = iter(self._connection.pipeline([*commands, *itertools.chain(*others)]))
        answer_keys = list(itertools.islice(given, len(entries)))
        # The last command of each releases the body; those before remove it from the indexes.
        unlisted = [not all(list(itertools.islice(given, len(each)))[:-1]) for each in others]
        answers = [
            Command.script(
                COMPARE_AND_DELETE, {self._keys.answer(key.decode()): STRING}, entry.record.summary.name
            )
            for entry, key in zip(entries, answer_keys, strict=True)
            if key
        ]
        if answers:
            self._connection.pipeline(answers)
        found = [key is not None for key in answer_keys]
        evicted = any(map(operator.and_, found, unlisted))
        return Deleted(sum(found), complete=not evicted)

    def _swap(self, entry: _Entry, value: bytes) -> Command:
        """Returns the command that writes the record, and whose answer is what it replaces."""
        key, expires = self._keys.record(entry.record.summary.name), milliseconds(entry.record.expires)
        return Command(("SET", key, value, "PXAT", expires, "GET"), {key: STRING}, {"get": True})

    def _writes(self, entry: _Entry, addition: Addition) -> Iterator[Command]:
        """Yields the commands that write all the rest."""
        record, now = entry.record, milliseconds(datetime.now(UTC))
        expires = milliseconds(record.expires)
        data, users = self._keys.body(record.body)
        yield Command.script(
            ADD_BODY, {data: STRING, users: SORTED_SET}, entry.user, expires, f"({now}", addition.body
        )
        hour = hour_of(record.summary.create_time)
        for scope in scopes(record.summary):
            for key, listed in (
                (self._keys.made(scope, hour), entry.member),
                (self._keys.hours(scope), f"{hour:x}"),
            ):
                yield Command.script(ADD_MEMBER, {key: SORTED_SET}, listed, max(expires - now, 1))
        if addition.answer_key is not None:
            key = self._keys.answer(addition.answer_key)
            yield Command.on(STRING, "SET", key, record.summary.name, "PXAT", expires)

    def _removals(self, entry: _Entry) -> Iterator[Command]:
        """Yields the commands that remove a record from the indexes, and its body if nobody else uses it."""
        hour = hour_of(entry.record.summary.create_time)
        for scope in scopes(entry.record.summary):
            yield Command.on(SORTED_SET, "ZREM", self._keys.made(scope, hour), entry.member)
        data, users = self._keys.body(entry.record.body)
        now = milliseconds(datetime.now(UTC))
        yield Command.script(RELEASE_BODY, {data: STRING, users: SORTED_SET}, entry.user, f"({now}")

    def _entry(self, sealed: bytes) -> _Entry | None:
        try:
            return _Entry(decode_record(sealed), sealed)
        except Unreadable as unreadable:
            self._skips.skip(unreadable.reason, "record")
            return None
