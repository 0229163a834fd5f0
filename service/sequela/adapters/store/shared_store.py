"""The whole store over Redis: its records behind an outbox and a cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sequela.adapters.store.location import state_folder
from sequela.adapters.store.outbox.folder import OutboxFolder
from sequela.adapters.store.outbox.records import OutboxRecords
from sequela.adapters.store.outbox.sender import CLOSE_SECONDS, OutboxSender
from sequela.adapters.store.ports import RETRY_AFTER_SECONDS, Store
from sequela.adapters.store.record_cache import COPY_SECONDS, RecordCache
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.records import KEEP_SECONDS, RedisRecords


@dataclass(frozen=True, slots=True)
class SharedStoreOptions:
    """How records are kept in this process.

    Attributes:
        outbox_folder: The folder of the outboxes of this host.
        owed_bytes: The largest size of what waits while Redis is down.
        cache_bytes: The largest size of copies in the process.
        keep_seconds: How long explanations are kept.
        copy_seconds: How long a copy in the process is kept.
        retry_seconds: How often sending is tried while Redis is down.
        close_seconds: How long closing continues to send.
    """

    outbox_folder: Path
    owed_bytes: int = 1 << 30
    cache_bytes: int = 64 << 20
    keep_seconds: float = KEEP_SECONDS
    copy_seconds: float = COPY_SECONDS
    retry_seconds: float = RETRY_AFTER_SECONDS
    close_seconds: float = CLOSE_SECONDS


def default_outbox_folder() -> Path:
    """Returns the folder below the user's folder for state, such as `~/.local/state/sequela/outbox`."""
    return state_folder() / "outbox"


def shared_store(connection: RedisConnection, options: SharedStoreOptions) -> Store:
    """Returns the store behind a connection, and starts to send what the outbox owes it."""
    records = RedisRecords(connection, options.keep_seconds)
    backend = redis_store(connection, records=records)
    outbox = OutboxFolder(options.outbox_folder, options.owed_bytes)
    sender = OutboxSender(outbox, records, connection.observer, options.retry_seconds)
    owing = OutboxRecords(records, outbox, sender, records.covers)
    cached = RecordCache(owing, options.cache_bytes, options.copy_seconds)
    sender.start()

    def close() -> None:
        sender.close(options.close_seconds)
        backend.close()

    return replace(backend, records=cached, close=close)
