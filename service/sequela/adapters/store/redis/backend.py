"""The backend that replicas share, over Redis. Values come back as bytes and are never unpickled."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.adapters.store.chunks import CHUNK_BYTES, ChunkedStore
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.leases import RedisLeases
from sequela.adapters.store.redis.records import RedisRecords


def redis_store(
    connection: RedisConnection, chunk_bytes: int = CHUNK_BYTES, records: RedisRecords | None = None
) -> Store:
    """Returns the store behind a connection, with large values cut into chunks.

    Args:
        connection: The connection to Redis. The store closes it.
        chunk_bytes: The largest value in one piece.
        records: The records, if they are made already.
    """
    values = ChunkedStore(RedisKeyValue(connection), chunk_bytes)
    ours = records or RedisRecords(connection)

    def close() -> None:
        ours.close()
        connection.close()

    return Store(values, RedisIndex(connection), ours, RedisLeases(connection), close)


@dataclass(frozen=True, slots=True)
class RedisKeyValue:
    """Implements `KeyValue` with Redis strings."""

    connection: RedisConnection

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        name = self.connection.namespace + key
        value: bytes | None = self.connection.call_typed("string", name, lambda redis: redis.get(name))
        return value

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        name = self.connection.namespace + key
        self.connection.call(lambda redis: redis.set(name, value, px=_milliseconds(ttl_seconds)))

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""
        name = self.connection.namespace + key
        while not self.connection.call(
            lambda redis: redis.set(name, value, px=_milliseconds(ttl_seconds), nx=True)
        ):
            present = self.get(key)
            if present is not None:  # otherwise it expired between the two calls
                return present
        return value

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        name = self.connection.namespace + key
        return bool(self.connection.call(lambda redis: redis.delete(name)))


@dataclass(frozen=True, slots=True)
class RedisIndex:
    """Implements `Index` with sorted sets whose scores are all 0, which Redis then orders by bytes."""

    connection: RedisConnection

    def add(self, name: str, entry: str) -> None:
        """See `Index`."""
        full = self.connection.namespace + name
        self.connection.call_typed("zset", full, lambda redis: redis.zadd(full, {entry: 0}))

    def remove(self, name: str, *entries: str) -> None:
        """See `Index`."""
        full = self.connection.namespace + name
        if entries:
            self.connection.call_typed("zset", full, lambda redis: redis.zrem(full, *entries))

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        """See `Index`."""
        full = self.connection.namespace + name
        # Positions may have bytes that are not UTF-8, of entries that another program wrote.
        start = f"({after}".encode(errors="surrogateescape") if after else b"-"
        found: list[bytes] = self.connection.call_typed(
            "zset", full, lambda redis: redis.zrangebylex(full, start, "+", 0, limit)
        )
        return tuple(entry.decode(errors="surrogateescape") for entry in found)


def _milliseconds(ttl_seconds: float | None) -> int | None:
    return None if ttl_seconds is None else max(1, round(ttl_seconds * 1000))
