"""The settings of the store."""

from __future__ import annotations

from pydantic import BaseModel, Field

DAY = 86_400.0  # seconds


class StoreSettings(BaseModel):
    """A part of `Settings`."""

    redis_url: str | None = Field(
        None,
        description="Redis or Valkey that replicas share, for backgrounds, uploaded models and explanations. Unset: "
        "they are kept in the process, and lost when it ends.",
    )
    redis_connect_timeout: float = Field(0.1, gt=0, description="Seconds that connecting to Redis may take.")
    redis_timeout: float = Field(0.2, gt=0, description="Seconds that Redis may take to answer.")
    redis_retry_after: float = Field(
        1.0, gt=0, description="Seconds between two probes of a Redis that is down."
    )
    memory_bytes: int = Field(
        256 << 20,
        ge=1 << 20,
        description="Size of the store in the process: of entries that expire, and again of those that do not.",
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
