"""The key-value port over Redis 6.2 or newer: quick to give up, quick to come back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from redis.exceptions import ClusterError, InvalidResponse, RedisClusterException, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sequela.adapters.store.ports import RETRY_AFTER, StoreDown
from sequela.adapters.store.redis_url import Client, RedisTimeouts, connector
from sequela.concurrency.circuit_breaker import CircuitBreaker
from sequela.explain.ports import Observer
from sequela.explain.telemetry import StoreState

NAMESPACE = "sequela:v1:"
"""Before every key. No hash tag: a call touches one key, so a cluster may spread them over all its nodes."""

Answer = TypeVar("Answer")

_DOWN = (
    RedisConnectionError,
    RedisTimeoutError,
    ClusterError,
    RedisClusterException,
    InvalidResponse,  # whatever answers there, it is not Redis
    OSError,
)
_UNREACHABLE = "it can't be reached, or does not answer in time"
_REFUSED = "it refuses the call"
_FOREIGN = "it holds a value of another type"
_DROP_UNLESS = """
if redis.call('type', KEYS[1]).ok ~= ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
"""A script, so that what another replica has put there meanwhile is never dropped."""

_log = structlog.get_logger(__name__)


class _WrongType(StoreDown):
    """Somebody else's value lies under the key."""


class RedisKeyValue:
    """Every call is one round trip, within the timeouts. After a failure calls are refused at once, with
    StoreDown, until Redis answers a probe in the background; the observer and the log hear of both changes,
    and of nothing between. Why Redis failed or refused is for the log, not for callers. Values come back as
    bytes and are never unpickled.

    A key that holds another type than ours is logged and dropped, and then is as one that was never there.
    """

    def __init__(
        self,
        url: str,
        observer: Observer,
        timeouts: RedisTimeouts | None = None,
        rest: float = RETRY_AFTER,
        namespace: str = NAMESPACE,
    ) -> None:
        self._connect = connector(url, timeouts or RedisTimeouts())
        self._observer = observer
        self._namespace = namespace
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._refusal = ""
        self._breaker = CircuitBreaker(self._probe, self._tell, rest, "store-probe")

    def check(self) -> bool:
        """Whether Redis answers, if only to refuse, as of now; observers hear of it."""
        with contextlib.suppress(StoreDown):
            self.get("probe")
        return self._breaker.why_open is None

    def close(self) -> None:
        """Closes the connections and stops probing."""
        self._breaker.close()
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        name = self._namespace + key
        value: bytes | None = self._ask_typed("string", name, lambda redis: redis.get(name))
        return value

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        name = self._namespace + key
        self._ask(lambda redis: redis.set(name, value, px=_milliseconds(ttl)))

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bytes:
        """See `KeyValue`."""
        name = self._namespace + key
        while not self._ask(lambda redis: redis.set(name, value, px=_milliseconds(ttl), nx=True)):
            standing = self.get(key)
            if standing is not None:  # else it went between the two calls
                return standing
        return value

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        name = self._namespace + key
        return bool(self._ask(lambda redis: redis.delete(name)))

    def index_add(self, index: str, entry: str, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        name = self._namespace + index

        def add(redis: Client) -> None:
            with redis.pipeline(transaction=False) as both:
                both.zadd(name, {entry: 0})
                both.persist(name) if ttl is None else both.pexpire(name, _milliseconds(ttl))
                both.execute()

        self._ask_typed("zset", name, add)

    def index_remove(self, index: str, *entries: str) -> None:
        """See `KeyValue`."""
        name = self._namespace + index
        if entries:
            self._ask_typed("zset", name, lambda redis: redis.zrem(name, *entries))

    def index_page(self, index: str, after: str, limit: int) -> tuple[str, ...]:
        """See `KeyValue`."""
        name, start = self._namespace + index, f"({after}" if after else "-"
        found: list[bytes] = self._ask_typed(
            "zset", name, lambda redis: redis.zrangebylex(name, start, "+", 0, limit)
        )
        return tuple(entry.decode(errors="replace") for entry in found)

    def index_trim(self, index: str, after: str) -> None:
        """See `KeyValue`."""
        name = self._namespace + index
        self._ask_typed("zset", name, lambda redis: redis.zremrangebylex(name, f"({after}", "+"))

    def _ask_typed(self, kind: str, name: str, command: Callable[[Client], Answer]) -> Answer:
        """Asks for what must be of one of Redis's types. What cannot be read is lost already: it goes."""
        try:
            return self._ask(command)
        except _WrongType:
            if self._ask(lambda redis: redis.eval(_DROP_UNLESS, 1, name, kind)):
                _log.error("store_corrupt", key=name, expected=kind)
            return self._ask(command)

    def _ask(self, command: Callable[[Client], Answer]) -> Answer:
        if self._breaker.why_open is not None:
            raise StoreDown(_UNREACHABLE)
        client = self._client
        try:
            client = self._connected()
            answer = command(client)
        except _DOWN as error:
            self._forget(client)
            self._breaker.fail(_told(error))
            raise StoreDown(_UNREACHABLE) from error
        except RedisError as error:  # it answers, but not to this: out of memory, no permission
            self._breaker.succeed()
            raise self._refused(error) from error
        self._breaker.succeed()
        return answer

    def _refused(self, error: RedisError) -> StoreDown:
        told = _told(error)
        if "WRONGTYPE Operation" in told:
            return _WrongType(_FOREIGN)
        if told != self._refusal:  # else every call would log it
            self._refusal = told
            _log.error("store_refused", detail=told)
        return StoreDown(_REFUSED)

    def _probe(self) -> bool:
        client = self._client
        try:
            client = self._connected()
            client.get(self._namespace + "probe")
        except _DOWN:
            self._forget(client)
            return False
        except RedisError:
            return True
        return True

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> Client:
        try:
            return self._connect()
        except Exception as error:  # a cluster that is being set up makes redis-py fail with an IndexError
            raise RedisConnectionError(_told(error)) from error

    def _forget(self, client: Client | None) -> None:
        """The next call connects anew: no dead connection is left, a cluster's nodes are asked for again."""
        with self._lock:
            if self._client is client:
                self._client = None

    def _tell(self, up: bool, detail: str) -> None:
        self._observer.notice(StoreState(up, detail))
        self._refusal = ""
        if up:
            _log.info("store_up")
        else:
            _log.warning("store_down", detail=detail)


def _milliseconds(ttl: float | None) -> int | None:
    return None if ttl is None else max(1, round(ttl * 1000))


def _told(error: Exception) -> str:
    # A pipeline tells the whole command too, entries and all, so that no two refusals would read the same.
    words = str(error).rpartition("of pipeline caused error: ")[2]
    return f"{type(error).__name__}: {words}"
