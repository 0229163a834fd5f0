"""Where the store is: in memory, in a file, or in Redis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from platformdirs import user_state_path

from sequela.errors import Unavailable

FORMS = (
    "memory:, a path, sqlite:PATH, or a URL of Redis or Valkey (redis://…, rediss://…, unix://…, redis+sentinel://…, "
    "redis+cluster://…)"
)
"""What `--store` may be, for messages."""

_FILE_NAME = "store.db"
_MEMORY_NAMES = ("memory:", "memory", ":memory:", "sqlite::memory:")  # the last two are SQLite's own
_REDIS_SCHEMES = ("redis", "rediss", "unix", "sentinel", "cluster")


@dataclass(frozen=True, slots=True)
class InMemory:
    """The store is lost when the process ends."""


@dataclass(frozen=True, slots=True)
class InFile:
    """The store is an SQLite file of this server."""

    path: Path


@dataclass(frozen=True, slots=True)
class InRedis:
    """The store is shared by all servers that use this Redis."""

    url: str


StoreLocation: TypeAlias = InMemory | InFile | InRedis


def location_text(location: StoreLocation) -> str:
    """Returns where a store is, without users and passwords, for the log."""
    match location:
        case InMemory():
            return "memory"
        case InFile(path):
            return str(path)
        case InRedis(url):
            # Most servers have no Redis, and importing its client would take a good part of their start-up time.
            from sequela.adapters.store.redis.url import RedisUrl  # noqa: PLC0415

            return RedisUrl.split(url).shown


def store_kind(location: StoreLocation) -> str:
    """Returns what the store is, for metrics and spans: memory, file or redis."""
    match location:
        case InMemory():
            return "memory"
        case InFile():
            return "file"
        case InRedis():
            return "redis"


def state_folder() -> Path:
    """Returns the folder of Sequela in the user's folder for state, such as `~/.local/state/sequela`.

    Raises:
        Unavailable: The user has no home folder.
    """
    folder = user_state_path("sequela", appauthor=False)
    # Without a home folder, `~` stays as it is, and a folder of that name would be made wherever the server starts.
    if not folder.is_absolute():
        text = "this user has no home folder; name a file or Redis with --store, or set XDG_STATE_HOME"
        raise Unavailable("STATE_FOLDER_MISSING", text)
    return folder


def default_path() -> Path:
    """Returns the file in the folder for state. Raises as `state_folder` does."""
    return state_folder() / _FILE_NAME


def parse_location(text: str) -> StoreLocation:
    """Reads a setting. Empty means the default path.

    Raises:
        ValueError: It has none of the forms in `FORMS`.
        Unavailable: It is empty, and the user has no home folder.
    """
    if not text:
        return InFile(default_path())
    if text in _MEMORY_NAMES:
        return InMemory()
    scheme, _, rest = text.partition(":")
    is_url, of_redis = rest.startswith("//"), scheme.lower().rpartition("+")[2] in _REDIS_SCHEMES
    if is_url and of_redis:
        return InRedis(text)
    # `redis:6379` is hardly meant as the name of a file; `./redis:6379` is.
    if is_url or (of_redis and rest) or text == "sqlite:":
        raise ValueError(f"must be {FORMS}")
    return InFile(Path(text.removeprefix("sqlite:")).expanduser())
