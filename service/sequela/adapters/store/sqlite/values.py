"""Values by key and ordered sets, in SQLite."""

from __future__ import annotations

from sequela.adapters.store.ports import StoreFull
from sequela.adapters.store.sqlite.database import Connection, Database
from sequela.adapters.store.sqlite.schema import expiry
from sequela.adapters.store.timestamps import now

_PRESENT = "SELECT data FROM value WHERE key = ? AND (expires IS NULL OR expires > ?)"
_PUT = "INSERT OR REPLACE INTO value (key, data, expires) VALUES (?, ?, ?)"


class SqliteKeyValue:
    """Implements `KeyValue`. Values that do not expire may take `max_bytes` together."""

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        return self._database.read(lambda connection: _find(connection, key))

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        self._database.write(lambda connection: self._put(connection, key, value, ttl_seconds))

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""

        def put(connection: Connection) -> bytes:
            present = _find(connection, key)
            if present is not None:
                return present
            self._put(connection, key, value, ttl_seconds)
            return value

        return self._database.write(put)

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""

        def delete(connection: Connection) -> bool:
            present = _find(connection, key) is not None
            connection.execute("DELETE FROM value WHERE key = ?", (key,))
            return present

        return self._database.write(delete)

    def _put(self, connection: Connection, key: str, value: bytes, ttl_seconds: float | None) -> None:
        expires = expiry(ttl_seconds)
        if expires is None:
            query = "SELECT ifnull(sum(length(data)), 0) FROM value WHERE expires IS NULL AND key <> ?"
            if connection.execute(query, (key,)).fetchone()[0] + len(value) > self._max_bytes:
                raise StoreFull(self._max_bytes)
        connection.execute(_PUT, (key, value, expires))


class SqliteIndex:
    """Implements `Index`. SQLite compares texts by their UTF-8 bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, entry: str) -> None:
        """See `Index`."""
        query = "INSERT OR IGNORE INTO entry (name, entry) VALUES (?, ?)"
        self._database.write(lambda connection: connection.execute(query, (name, entry)))

    def remove(self, name: str, *entries: str) -> None:
        """See `Index`."""
        rows = [(name, entry) for entry in entries]
        query = "DELETE FROM entry WHERE name = ? AND entry = ?"
        self._database.write(lambda connection: connection.executemany(query, rows))

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        """See `Index`."""
        query = (
            "SELECT CAST(entry AS BLOB) FROM entry WHERE name = ? AND entry > CAST(? AS TEXT) "
            "ORDER BY entry LIMIT ?"
        )
        arguments = (name, after.encode(errors="surrogateescape"), limit)
        rows = self._database.read(lambda connection: connection.execute(query, arguments).fetchall())
        return tuple(entry.decode(errors="surrogateescape") for (entry,) in rows)


def _find(connection: Connection, key: str) -> bytes | None:
    row = connection.execute(_PRESENT, (key, now())).fetchone()
    return None if row is None else row[0]
