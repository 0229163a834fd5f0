"""Closing the store: calls that are running end, and no later one opens a connection that nobody would close."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from adapters.store.redis_stores import connected
from adapters.store.store_samples import Heard
from redis.exceptions import ConnectionError as RedisConnectionError
from redis_server import RedisServer, redis_server
from sequela.adapters.store.ports import StoreDown
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.call_limit import LimitedSocket
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.url import Client, RedisTimeouts
from sequela.explain.telemetry import StoreState
from waiting import PATIENCE, eventually

__all__ = ["redis_server"]


def connections(client: Client) -> set[str]:
    return {each["id"] for each in client.client_list()}


def assert_closed(server: RedisServer, redis: RedisConnection) -> None:
    """A call fails as it does while Redis is down, and a check gets no answer. Redis gets no connection that stays."""
    client = server.client()
    before = connections(client)
    with pytest.raises(StoreDown):
        redis_store(redis).values.get("key")
    assert not redis.check()
    eventually(lambda: connections(client) <= before)
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


def test_a_connection_that_is_opened_after_the_close_is_closed(redis_server: RedisServer) -> None:
    """The close comes when a call has its client and has not yet sent its command. redis-py then connects again."""
    client, redis = redis_server.client(), connected(redis_server)
    before, used = connections(client), list[Client]()

    def late(late_client: Client) -> None:
        used.append(late_client)  # otherwise Python would close it, because nobody needs it any more
        redis.close()
        late_client.ping()

    with contextlib.suppress(StoreDown):
        redis.call(late)
    assert used
    eventually(lambda: connections(client) <= before)
    client.close()


def test_a_call_that_waits_for_redis_ends_with_the_close(redis_server: RedisServer) -> None:
    """Long before its own limit."""
    client = redis_server.client()
    redis = RedisConnection(redis_server.url, Heard(), RedisTimeouts(5.0, 10 * PATIENCE))
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(redis.call, lambda redis: redis.blpop("nothing", 0))
        eventually(lambda: client.info("clients")["blocked_clients"] == 1)
        redis.close()
        with pytest.raises(StoreDown):
            call.result(PATIENCE)
    client.close()


def test_a_call_that_the_close_cuts_off_is_no_outage(redis_server: RedisServer) -> None:
    """Its caller gets the error of one, but nobody is told that Redis is down."""
    heard = Heard()
    redis = connected(redis_server, heard)
    assert redis.check()

    def cut_off(_: Client) -> None:
        redis.close()
        raise RedisConnectionError("connection closed by server")

    with pytest.raises(StoreDown):
        redis.call(cut_off)
    assert [record.up for record in heard.of(StoreState)] == [True]


class Noted(socket.socket):
    """A socket that notes that a thread is about to read."""

    reads = threading.Event()

    def recv(self, *args: int) -> bytes:
        self.reads.set()
        return super().recv(*args)


def test_a_call_keeps_its_descriptor_until_it_ends() -> None:
    """The close comes while a thread reads. Otherwise another connection could get the number that it reads from."""
    ours, peer = socket.socketpair()
    plain = Noted(ours.family, ours.type, fileno=ours.detach())
    plain.settimeout(PATIENCE)
    limited, descriptor = LimitedSocket(plain), plain.fileno()
    with peer, ThreadPoolExecutor(1) as thread:
        reader = thread.submit(limited.recv, 1)
        assert plain.reads.wait(PATIENCE)
        limited.close()
        assert plain.fileno() == descriptor
        peer.send(b"x")
        assert reader.result(PATIENCE) == b"x"
    assert plain.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        limited.sendall(b"x")
