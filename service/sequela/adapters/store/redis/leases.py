"""Leases that replicas share."""

from __future__ import annotations

import contextlib
import uuid
from collections import deque

from redis.exceptions import RedisError

from sequela.adapters.store.ports import StoreDown
from sequela.adapters.store.redis.command import COMPARE_AND_DELETE, COMPARE_AND_EXPIRE
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.url import Client


class RedisLeases:
    """Implements `Leases` with keys that expire.

    A lease that could not be given back, or whose taking was not confirmed, because Redis went down, is given back as
    soon as Redis is available again. Otherwise everybody who asks for the answer would wait until it expires, although
    nobody works on it.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._left: deque[tuple[str, str]] = deque()  # names and tokens of leases that nobody needs
        connection.before_return(self._give_back)

    def take(self, key: str, seconds: float) -> str | None:
        """See `Leases`."""
        name, token = self._name(key), uuid.uuid4().hex
        was_up = self._connection.is_up
        try:
            taken = self._connection.call(
                lambda redis: redis.set(name, token, px=_milliseconds(seconds), nx=True)
            )
        except StoreDown:
            if was_up:  # Redis may have received the command; while it is down, none is sent
                self._leave(name, token)
            raise
        return token if taken else None

    def renew(self, key: str, token: str, seconds: float) -> bool:
        """See `Leases`."""
        name, more = self._name(key), _milliseconds(seconds)
        renewed = self._connection.call_typed(
            "string", name, lambda redis: redis.eval(COMPARE_AND_EXPIRE, 1, name, token, more)
        )
        return bool(renewed)

    def release(self, key: str, token: str) -> None:
        """See `Leases`."""
        name = self._name(key)
        try:
            self._connection.call_typed(
                "string", name, lambda redis: redis.eval(COMPARE_AND_DELETE, 1, name, token)
            )
        except StoreDown:
            self._leave(name, token)
            raise

    def _leave(self, name: str, token: str) -> None:
        if not self._connection.is_up:  # otherwise Redis refused the call
            self._left.append((name, token))

    def _give_back(self, redis: Client) -> None:
        while self._left:
            name, token = self._left.popleft()
            # Each is tried once: one that cannot be given back, in a cluster with a node down, expires by itself.
            with contextlib.suppress(RedisError, OSError):
                redis.eval(COMPARE_AND_DELETE, 1, name, token)

    def _name(self, key: str) -> str:
        return f"{self._connection.namespace}lease:{key}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
