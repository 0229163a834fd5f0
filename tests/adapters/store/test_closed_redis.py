"""After the store was closed, no call opens a connection to Redis that nobody would close."""

from __future__ import annotations

import pytest
from adapters.store.redis_stores import connected
from redis_server import RedisServer, eventually, redis_server
from sequela.adapters.store.ports import StoreDown
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.url import Client

__all__ = ["redis_server"]


def assert_closed(server: RedisServer, redis: RedisConnection) -> None:
    """A call fails as it does while Redis is down. Redis gets no connection that stays."""
    client = server.client()

    def connections() -> set[str]:
        return {each["id"] for each in client.client_list()}

    before = connections()
    with pytest.raises(StoreDown):
        redis_store(redis).values.get("key")
    redis.check()
    eventually(lambda: connections() <= before)
    client.close()


def test_a_call_after_the_close_is_down(redis_server: RedisServer) -> None:
    """It fails as one during the close does, and opens no connection."""
    redis = connected(redis_server)
    redis_store(redis).values.put("key", b"value")
    redis.close()
    assert_closed(redis_server, redis)


def test_a_connection_that_is_opened_during_the_close_is_closed(redis_server: RedisServer) -> None:
    """The close comes while a call connects. The call fails, and its connection is not kept."""
    redis = connected(redis_server)
    connect = redis._connect

    def interrupted() -> Client:
        client = connect()
        client.ping()
        redis.close()
        return client

    redis._connect = interrupted
    assert_closed(redis_server, redis)
