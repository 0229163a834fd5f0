"""Calls to Redis 6.2 or newer. They fail fast while it is down, and resume soon after it is available again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import structlog
from redis.exceptions import (
    ClusterError,
    InvalidResponse,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sequela.adapters.store.ports import RETRY_AFTER_SECONDS, StoreDown
from sequela.adapters.store.redis.call_limit import call_limit, remaining_seconds
from sequela.adapters.store.redis.command import Command
from sequela.adapters.store.redis.url import Client, RedisTimeouts, RedisUrl, connector
from sequela.concurrency.circuit_breaker import CircuitBreaker
from sequela.explain.ports import Observer
from sequela.explain.telemetry import StoreState

NAMESPACE = "sequela:v1:"
"""The prefix of every key. It has no hash tag: a call touches one key, so a cluster may spread keys over its nodes."""

Answer = TypeVar("Answer")

_OUTAGES = (
    RedisConnectionError,
    RedisTimeoutError,
    ClusterError,
    RedisClusterException,
    InvalidResponse,  # a server answers that is not Redis
    ReadOnlyError,  # a primary became a replica: another connection may lead to the new primary
    OSError,
)
_UNREACHABLE = "it cannot be reached, or does not answer in time"
_REFUSED = "it refused the call"
_WRONG_TYPE = "it holds a value of another type"
_READ_ONLY = "READONLY "
_PROBE_MILLISECONDS = 60_000  # how long the key of a probe stays
_DELETE_UNLESS_TYPE = """
if redis.call('type', KEYS[1]).ok ~= ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
"""A script, so that the check and the deletion are one step. Another replica may write the key at the same time."""

_log = structlog.get_logger(__name__)


class _WrongType(StoreDown):
    """The key holds a value of another Redis type, which some other program wrote."""


class RedisConnection:
    """Runs commands on Redis. Safe to use from several threads at once.

    Every call ends within `RedisTimeouts.call_seconds`, and is never repeated. After a failure all calls raise
    StoreDown at once, until Redis answers a probe in the background. Callers do not learn why Redis failed or refused a
    call: an outage is reported to the observer, and a refusal is logged.

    Args:
        url: See `url.FORMS`.
        observer: Is notified when Redis goes down and when it is available again.
        timeouts: Time limits of one call.
        probe_interval_seconds: How often Redis is probed while it is down.
        namespace: The prefix of every key.
    """

    def __init__(
        self,
        url: str,
        observer: Observer,
        timeouts: RedisTimeouts | None = None,
        probe_interval_seconds: float = RETRY_AFTER_SECONDS,
        namespace: str = NAMESPACE,
    ) -> None:
        self.namespace = namespace
        self.observer = observer
        timeouts = timeouts or RedisTimeouts()
        self._connect = connector(url, timeouts)
        self._call_seconds = timeouts.call_seconds
        # No request waits for a probe, so it has time to ask all sentinels or nodes that are named.
        self._probe_seconds = timeouts.call_seconds * (RedisUrl.split(url).host_count + 1)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._client: Client | None = None
        self._last_refusal = ""
        self._closed = False
        self._before_return: list[Callable[[Client], None]] = []
        self._breaker = CircuitBreaker(self._probe, self._notify, probe_interval_seconds, "store-probe")

    @property
    def is_up(self) -> bool:
        """Whether Redis answered last time, as far as is known."""
        return self._breaker.why_open is None

    def before_return(self, task: Callable[[Client], None]) -> None:
        """Has a task done whenever Redis is available again, before the first call. The task must catch its errors."""
        self._before_return.append(task)

    def check(self) -> bool:
        """Probes Redis once, notifies the observer, and returns whether Redis answered. A refusal is also an answer.

        After `close` there is no answer.
        """
        with contextlib.suppress(StoreDown):
            self.call(self._ping)
        return self.is_up and not self._closed

    def close(self) -> None:
        """Closes the connections and stops probing. Later calls raise StoreDown, and so do those that this cuts off."""
        self._closed = True
        self._breaker.close()
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def call(self, command: Callable[[Client], Answer]) -> Answer:
        """Runs a command and returns its answer. Raises StoreDown."""
        if self._closed or self._breaker.why_open is not None:
            raise StoreDown(_UNREACHABLE)
        client = self._client
        try:
            with call_limit(self._call_seconds), self._in_use() as client:
                answer = command(client)
        except _OUTAGES as error:
            raise self._outage(client, error) from error
        except RedisError as error:  # it answers, but refuses this: out of memory, no permission
            if _READ_ONLY in str(error):  # a script met it, so the error is of another class
                raise self._outage(client, error) from error
            self._breaker.succeed()
            raise self._refusal(error) from error
        except Exception as error:
            # `close` takes connections apart that others are using. redis-py then raises whatever it meets.
            if not self._closed:
                raise
            raise StoreDown(_UNREACHABLE) from error
        self._breaker.succeed()
        return answer

    def call_typed(self, redis_type: str, name: str, command: Callable[[Client], Answer]) -> Answer:
        """Runs a command on a key that must be of one Redis type. Raises StoreDown.

        A key of another type cannot be read, so it is logged, deleted, and treated as one that was never there.
        """
        try:
            return self.call(command)
        except _WrongType:
            self._delete_foreign(name, redis_type)
            return self.call(command)

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Runs commands in one round trip, and returns their answers. Raises StoreDown if one of them failed.

        Those on one key run in their order; in a cluster, those on different keys may not. Keys of another type are
        treated as in `call_typed`.
        """
        answers = self._run(commands)
        wrong = [number for number, answer in enumerate(answers) if _is_wrong_type(answer)]
        if wrong:
            for name, redis_type in {pair for number in wrong for pair in commands[number].types.items()}:
                self._delete_foreign(name, redis_type)
            for number, answer in zip(wrong, self._run([commands[number] for number in wrong]), strict=True):
                answers[number] = answer
        for answer in answers:
            if isinstance(answer, RedisError):
                raise self._refusal(answer) from answer
        return answers

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        """Returns the answers, some of which may be errors."""

        def run(redis: Client) -> list[Any]:
            with redis.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command.words, **command.options)
                answers: list[Any] = pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, _OUTAGES) or (
                    isinstance(answer, RedisError) and _READ_ONLY in str(answer)
                ):
                    raise answer
            return answers

        return self.call(run)

    def _delete_foreign(self, name: str, redis_type: str) -> None:
        if self.call(lambda redis: redis.eval(_DELETE_UNLESS_TYPE, 1, name, redis_type)):
            _log.error("store key of wrong type deleted", key=name, expected_type=redis_type)

    def _outage(self, client: Client | None, error: Exception) -> StoreDown:
        self._discard(client)
        if not self._closed:  # otherwise it was `close` that ended the call, not an outage
            self._breaker.fail(_describe(error))
        return StoreDown(_UNREACHABLE)

    def _refusal(self, error: RedisError) -> StoreDown:
        if _is_wrong_type(error):
            return _WrongType(_WRONG_TYPE)
        detail = _describe(error)
        if detail != self._last_refusal:  # otherwise every call would be logged
            self._last_refusal = detail
            _log.error("store refused a call", detail=detail)
        return StoreDown(_REFUSED)

    def _probe(self) -> bool:
        client = self._client
        try:
            with call_limit(self._probe_seconds), self._in_use() as client:
                self._ping(client)
                for task in self._before_return:
                    task(client)
        except RedisError as error:
            if isinstance(error, _OUTAGES) or _READ_ONLY in str(error):
                self._discard(client)
                return False
            return True
        except Exception:
            # The thread must continue, whatever redis-py raises: without it the store would stay down.
            self._discard(client)
            return False
        return True

    def _ping(self, client: Client) -> None:
        # A write, because a replica would answer anything else.
        client.set(self.namespace + "probe", b"", px=_PROBE_MILLISECONDS)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[Client]:
        """Connects. On exit, closes what a command has opened after `close`: redis-py would connect again for it."""
        client = self._connected()
        try:
            yield client
        finally:
            if self._closed:
                client.close()

    def _connected(self) -> Client:
        client = self._client
        if client is not None:
            return client
        # Opening a cluster asks its nodes. Those who wait for it give up when their own time is over.
        if not self._opening.acquire(timeout=max(remaining_seconds(), 0)):
            raise RedisTimeoutError("another call is opening the connection")
        try:
            client = self._client
            if client is None:
                client = self._open()
                self._keep(client)
            return client
        finally:
            self._opening.release()

    def _keep(self, client: Client) -> None:
        """Keeps a client for later calls. Raises StoreDown if nobody would close it, because `close` was called."""
        with self._lock:
            if not self._closed:
                self._client = client
                return
        client.close()
        raise StoreDown(_UNREACHABLE)

    def _open(self) -> Client:
        try:
            return self._connect()
        except Exception as error:  # redis-py raises IndexError for a cluster that is still being set up
            raise RedisConnectionError(_describe(error)) from error

    def _discard(self, client: Client | None) -> None:
        """Forgets a client. The next call connects again, and asks a cluster for its nodes again."""
        with self._lock:
            # Another thread may have connected again already, and its connection is good.
            if self._client is client:
                self._client = None

    def _notify(self, up: bool, detail: str) -> None:
        self.observer.notice(StoreState(up, detail))
        self._last_refusal = ""


def _is_wrong_type(answer: object) -> bool:
    return isinstance(answer, RedisError) and "WRONGTYPE Operation" in _describe(answer)


def _describe(error: Exception) -> str:
    # redis-py repeats the whole command of a pipeline, with its entries, so no two refusals would be equal.
    message = str(error).rpartition("of pipeline caused error: ")[2]
    return f"{type(error).__name__}: {message}"
