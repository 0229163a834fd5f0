"""The settings of the store."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from sequela.adapters.store.location import InRedis, StoreLocation, parse_location

DAY = 86_400.0  # seconds


class StoreSettings(BaseModel):
    """A part of `Settings`."""

    store: str | None = Field(
        None,
        description="Where explanations, backgrounds and uploaded models are kept: `memory:`, the path of an SQLite "
        "file (also `sqlite:PATH`), or a URL of the Redis or Valkey that replicas share (`redis://…`, `rediss://…`, "
        "`unix://…`, `redis+sentinel://…`, `redis+cluster://…`). Unset: the file `sequela/store.db` in the user's "
        "folder for state (`$XDG_STATE_HOME`, or `~/.local/state`).",
    )
    redis_url: str | None = Field(
        None, description="The earlier name of --store, for URLs of Redis. It is used if --store is unset."
    )
    store_bytes: int | None = Field(
        None,
        ge=1 << 20,
        description="Size of the store in a file or in memory. When it is exceeded, the entries that expire first are "
        "removed. Unset: 16 GiB for a file, 256 MiB in memory. Redis has its own limit (`maxmemory`).",
    )
    keep_sequences: bool = Field(
        True, description="Keep the sequence of each explanation with it, as the caller sent it."
    )
    redis_connect_timeout: float = Field(0.1, gt=0, description="Seconds that connecting to Redis may take.")
    redis_timeout: float = Field(0.2, gt=0, description="Seconds that Redis may take to answer.")
    redis_retry_after: float = Field(
        1.0, gt=0, description="Seconds between two probes of a Redis that is down."
    )
    cache_bytes: int = Field(
        64 << 20, ge=1 << 20, description="Size of each cache in the process, in front of the store."
    )
    explanation_ttl: float = Field(7 * DAY, gt=0, description="How long, in seconds, an explanation is kept.")
    background_ttl: float = Field(
        30 * DAY,
        gt=0,
        description="How long, in seconds, an inline background is found by its digest.",
    )

    # While Redis is down
    outbox_folder: Path | None = Field(
        None,
        description="With Redis: the folder for explanations that wait for it while it is down. All servers of a "
        "host may use the same one. Unset: `sequela/outbox` in the user's folder for state.",
    )
    owed_bytes: int = Field(
        1 << 30,
        ge=1 << 20,
        description="Largest total size of the explanations that wait for Redis. Beyond it, the oldest are "
        "dropped.",
    )

    @field_validator("store")
    @classmethod
    def _readable(cls, text: str | None) -> str | None:
        if text:
            parse_location(text)
        return text

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, text: str | None) -> str | None:
        if text and not isinstance(parse_location(text), InRedis):
            raise ValueError("must be a URL of Redis; use --store for a file")
        return text

    @property
    def store_location(self) -> StoreLocation:
        """Where the store is."""
        return parse_location(self.store or self.redis_url or "")
