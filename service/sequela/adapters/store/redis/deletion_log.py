"""The deletions that all replicas share: a log in Redis, of which each replica has read everything up to some entry.

Each call that reads records also reads what is new in the log. So no replica finds what another one has deleted.
"""

from __future__ import annotations

import threading

from sequela.adapters.store.ports import Record
from sequela.adapters.store.redis.command import ADD_DELETION, SORTED_SET, Command
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.record_keys import RecordKeys
from sequela.adapters.store.scopes import selector_digest, selector_digests
from sequela.adapters.store.timestamps import microseconds, now
from sequela.explain.explanation_query import Selector

_READ_AT_ONCE = 1_000
"""Entries of the log in one answer; a thousand take 60 kB."""

_NUMBER_DIGITS = 16  # of microseconds since 1970, until the year 2286

MARGIN_SECONDS = 5.0
"""How much clocks of replicas may differ from that of Redis. Until then, what is accepted is still deleted."""

_MARGIN_MICROSECONDS = round(MARGIN_SECONDS * 1e6)

_MAX_REMEMBERED = 200_000
"""Deletions in memory, about 30 MB, before those that are too old to matter are forgotten."""


class DeletionLog:
    """Reads and writes the log. Safe to use from several threads at once.

    Args:
        connection: The connection to Redis.
        keep_seconds: How long a deletion is kept: as long as explanations are.
    """

    def __init__(self, connection: RedisConnection, keep_seconds: float) -> None:
        self._connection = connection
        self._key = RecordKeys(connection.namespace).deletions
        self._keep_milliseconds = round(keep_seconds * 1000)
        self._lock = threading.Lock()
        self._last = b""
        self._times: dict[str, int] = {}

    @property
    def command(self) -> Command:
        """The command that reads what is new. Its answer goes to `read`."""
        start = b"(" + self._last + b"~" if self._last else b"-"
        return Command.on(SORTED_SET, "ZRANGEBYLEX", self._key, start, "+", "LIMIT", 0, _READ_AT_ONCE)

    def read(self, entries: list[bytes]) -> None:
        """Takes the answer to `command`, and reads on if there is more. Raises StoreDown."""
        before = self._last
        self._take(entries)
        while len(entries) == _READ_AT_ONCE and self._last != before:
            before = self._last
            (entries,) = self._connection.pipeline([self.command])
            self._take(entries)

    def add(self, wanted: Selector) -> None:
        """Records that everything selected that was accepted until now is deleted. Raises StoreDown."""
        entry = selector_digest(wanted)
        keep = self._keep_milliseconds
        _, entries = self._connection.pipeline(
            [Command.script(ADD_DELETION, {self._key: SORTED_SET}, entry, keep), self.command]
        )
        self.read(entries)

    def covers(self, record: Record) -> bool:
        """Returns whether a record was deleted, as far as this replica has read the log.

        The time when it was accepted is of a replica's clock, and that of the deletion is of Redis's clock.
        """
        if not self._times:
            return False
        accepted = microseconds(record.accepted)
        return any(self._times.get(digest, -1) >= accepted for digest in selector_digests(record.summary))

    def _take(self, entries: list[bytes]) -> None:
        if not entries:
            return
        with self._lock:
            for entry in entries:
                number, _, rest = entry.partition(b"|")
                if len(number) == _NUMBER_DIGITS and number.isdigit():  # it is one of ours
                    digest = rest.decode(errors="replace")
                    until = int(number) + _MARGIN_MICROSECONDS
                    self._times[digest] = max(until, self._times.get(digest, -1))
                    self._last = max(self._last, number)
            if len(self._times) > _MAX_REMEMBERED:
                oldest = now() - self._keep_milliseconds * 1000
                self._times = {digest: time for digest, time in self._times.items() if time >= oldest}
