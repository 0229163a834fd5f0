"""A part of the tests' Redis that one test has for itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from adapters.store.redis_stores import connected
from adapters.store.store_samples import Heard
from redis import Redis
from redis_server import RedisServer
from sequela.adapters.store.redis.command import Command
from sequela.adapters.store.redis.records import RedisRecords


class Place:
    """A namespace of its own in the tests' Redis, and what is in it."""

    def __init__(self, server: RedisServer) -> None:
        self.namespace = f"{uuid.uuid4()}:"
        self.client: Redis = server.client()
        self.heard = Heard()
        self.connection = connected(server, self.heard, self.namespace)
        self.records = RedisRecords(self.connection)

    def found(self, prefix: str = "") -> list[str]:
        """The keys, without the namespace."""
        found = self.client.keys(f"{self.namespace}{prefix}*")
        return sorted(key.decode().removeprefix(self.namespace) for key in found)

    def other(self) -> RedisRecords:
        """The records of another replica."""
        return RedisRecords(self.connection)

    def count_round_trips(self) -> list[int]:
        """Returns a list to which the number of commands of each round trip is added from now on."""
        trips: list[int] = []
        pipeline = self.connection.pipeline

        def counted(commands: Sequence[Command]) -> list[Any]:
            trips.append(len(commands))
            return pipeline(commands)

        self.connection.pipeline = counted  # type: ignore[method-assign]
        return trips
