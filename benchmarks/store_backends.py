"""The stores that the study of the store measures: how each is opened empty, filled quickly, and measured."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sequela.adapters.store.ports import Addition, Record, Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.url import RedisTimeouts
from sequela.adapters.store.serialization import encode_record
from sequela.adapters.store.sqlite.store import StoreLimits, file_store, memory_store
from sequela.explain.ports import Observers

ROOT = Path(__file__).resolve().parents[1]
ROOM = StoreLimits(1 << 40)
START_SECONDS = 20.0
LISTED_IN_REDIS = 200_000  # records take 3 kB of memory each; a slow test lists a million
REDIS_SERVER = "SEQUELA_REDIS_SERVER"
PATIENT = RedisTimeouts(connect_seconds=10.0, answer_seconds=60.0)  # many records are added in one call


@dataclass(frozen=True, slots=True)
class Backend:
    """An empty store.

    Args:
        store: the store.
        add: adds many records that share a body, in one step.
        size: returns how many bytes the store takes.
        most_listed: the largest number of records in the list that is measured; 0 if none is.
    """

    store: Store
    add: Callable[[Sequence[Record]], None]
    size: Callable[[], int]
    most_listed: int


def redis_program() -> str | None:
    """Returns the path of redis-server, or None: as in the tests, SEQUELA_REDIS_SERVER, `.venv/redis`, or the PATH."""
    given = [Path(os.environ[REDIS_SERVER])] if REDIS_SERVER in os.environ else []
    places = [*given, *sorted((ROOT / ".venv" / "redis").rglob("redis-server"))]
    return next((str(each) for each in places if os.access(each, os.X_OK)), shutil.which("redis-server"))


@contextmanager
def sqlite_backend(store: Store, most_listed: int) -> Iterator[Backend]:
    """A store of SQLite, in a file or in memory."""
    records: Any = store.records
    query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

    def add(chunk: Sequence[Record]) -> None:
        # One transaction is much faster than many.
        encoded = [(record, encode_record(record)) for record in chunk]
        records._database.write(
            lambda connection: [records._add(connection, *each, b"", None) for each in encoded]
        )

    def size() -> int:
        return int(records._database.read(lambda connection: connection.execute(query).fetchone()[0]))

    try:
        yield Backend(store, add, size, most_listed)
    finally:
        store.close()


@contextmanager
def redis_backend(_: Path) -> Iterator[Backend]:
    """A Redis that is started for it, and keeps nothing on the disk."""
    with _redis_server() as client:
        path = client.connection_pool.connection_kwargs["path"]
        store = redis_store(RedisConnection(f"unix://{path}", Observers([]), PATIENT))
        records: Any = store.records
        before = int(client.info("memory")["used_memory"])
        try:
            yield Backend(
                store,
                lambda chunk: records.add_all([Addition(record, b"body", None) for record in chunk]),
                lambda: int(client.info("memory")["used_memory"]) - before,
                LISTED_IN_REDIS,
            )
        finally:
            store.close()


@contextmanager
def _redis_server() -> Iterator[Any]:
    program = redis_program()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="sequela-redis-") as folder:
        socket = f"{folder}/socket"
        command = [program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            client = Redis(unix_socket_path=socket)
            _await(client)
            yield client
        finally:
            process.terminate()
            process.wait()


def _await(client: Any) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            client.ping()
            return
        except RedisError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def backends() -> Mapping[str, Callable[[Path], AbstractContextManager[Backend]]]:
    """Returns how each store is opened in a folder, by name. Without a redis-server there is no Redis."""
    found: dict[str, Callable[[Path], AbstractContextManager[Backend]]] = {
        "file": lambda folder: sqlite_backend(file_store(folder / "store.db", limits=ROOM), sys.maxsize),
        # Its lists are those of the file, so they are not measured.
        "memory": lambda _: sqlite_backend(memory_store(limits=ROOM), 0),
    }
    return found | {"redis": redis_backend} if redis_program() else found
