"""Leases that replicas share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sequela.adapters.store.redis.command import COMPARE_AND_DELETE, COMPARE_AND_EXPIRE
from sequela.adapters.store.redis.connection import RedisConnection


@dataclass(frozen=True, slots=True)
class RedisLeases:
    """Implements `Leases` with keys that expire."""

    connection: RedisConnection

    def take(self, key: str, seconds: float) -> str | None:
        """See `Leases`."""
        name, token = self._name(key), uuid.uuid4().hex
        taken = self.connection.call(lambda redis: redis.set(name, token, px=_milliseconds(seconds), nx=True))
        return token if taken else None

    def renew(self, key: str, token: str, seconds: float) -> bool:
        """See `Leases`."""
        name, more = self._name(key), _milliseconds(seconds)
        renewed = self.connection.call_typed(
            "string", name, lambda redis: redis.eval(COMPARE_AND_EXPIRE, 1, name, token, more)
        )
        return bool(renewed)

    def release(self, key: str, token: str) -> None:
        """See `Leases`."""
        name = self._name(key)
        self.connection.call_typed(
            "string", name, lambda redis: redis.eval(COMPARE_AND_DELETE, 1, name, token)
        )

    def _name(self, key: str) -> str:
        return f"{self.connection.namespace}lease:{key}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
