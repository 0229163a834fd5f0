"""Redis goes away under load, and servers stop while they owe: no explanation that was answered is lost."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from adapters.store.record_samples import listed, record
from adapters.store.redis_stores import PATIENT
from adapters.store.store_samples import Heard
from end_to_end.test_redis import metric
from matrix import BY_NAME, copy_models
from redis_server import RedisServer, fragile_redis, redis_server, running
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.records import RedisRecords
from sequela.adapters.store.shared_store import SharedStoreOptions, shared_store
from sequela.explain.telemetry import ExplanationsOwed
from sequela_client import Explanation, Sequela
from serving import Serving, embedded
from waiting import PATIENCE, eventually

__all__ = ["fragile_redis", "redis_server"]

GRU = BY_NAME["gru"]
PACKAGES = [str(Path(__file__).parents[2] / name) for name in ("service", "clients/python", "proto/python")]


def models(folder: Path) -> Path:
    """A model repository with the GRU."""
    repository = folder / "models"
    return repository if repository.exists() else copy_models(repository, ["gru"])


def serving(folder: Path, store: str, **changed: float) -> Serving:
    """A server of this process, whose outbox is in the folder."""
    given = {"model_repository": models(folder), "outbox_folder": folder / "outbox", "redis_retry_after": 0.2}
    return Serving(embedded(store=store, **given, **changed))


class Callers:
    """Threads that ask for explanations, each with a seed of its own, until they are stopped."""

    def __init__(self, sequela: Sequela, count: int) -> None:
        self.names: list[str] = []
        self.failures: list[Exception] = []
        self._sequela = sequela
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number, count)) for number in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, first: int, step: int) -> None:
        for seed in itertools.count(first, step):
            if self._stop.is_set():
                return
            try:
                made = self._sequela.explain(GRU.sample(12), model="gru", background=GRU.average(), seed=seed)
                self.names.append(made.name)
            except Exception as error:
                self.failures.append(error)


@pytest.mark.slow
def test_an_outage_under_load_loses_nothing(fragile_redis: RedisServer, tmp_path: Path) -> None:
    """Redis is stopped, started, frozen and thawed while eight callers ask: none fails, and afterwards another server
    finds every explanation that was answered.
    """
    with (
        serving(tmp_path, fragile_redis.url) as here,
        Sequela(here.bound.grpc) as sequela,
        Callers(sequela, 8) as callers,
    ):
        eventually(lambda: len(callers.names) > 50, PATIENCE)
        fragile_redis.stop()
        time.sleep(2)
        fragile_redis.start()
        time.sleep(0.5)
        fragile_redis.pause()
        eventually(lambda: metric(here, "sequela_store_owed{") > 0, PATIENCE)
        fragile_redis.resume()
        eventually(lambda: metric(here, "sequela_store_owed{") == 0, PATIENCE)
    assert callers.failures == []
    with serving(tmp_path, fragile_redis.url) as there, Sequela(there.bound.grpc) as sequela:
        for name in callers.names:
            assert sequela.get_explanation(name).name == name
        assert {each.name for each in sequela.list_explanations()} >= set(callers.names)
    assert list((tmp_path / "outbox").glob("*.db")) == []


def process_arguments(folder: Path, store: str, ready: Path) -> list[str]:
    """The arguments of a server in a process of its own, which writes its addresses into the file `ready`."""
    options = {
        "--store": store,
        "--outbox-folder": str(folder / "outbox"),
        "--model-repository": str(models(folder)),
        "--ready-file": str(ready),
        "--drain-delay": "0",
        "--port": "0",
        "--http-port": "0",
    }
    return ["serve", *itertools.chain(*options.items())]


@contextmanager
def process(redis: RedisServer, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its address."""
    ready = folder / f"ready-{time.monotonic_ns()}.json"
    arguments = [*process_arguments(folder, redis.url, ready), "--redis-retry-after", "0.1"]
    # In one process, which starts sooner.
    environment = {**os.environ, "SEQUELA_ENGINES": "0", "PYTHONPATH": os.pathsep.join(PACKAGES)}
    command = [sys.executable, "-m", "sequela", *arguments]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        eventually(ready.exists, PATIENCE)
        yield started, json.loads(ready.read_text())["grpc"]
    finally:
        started.kill()
        started.communicate()


def explain(address: str, count: int) -> list[str]:
    """Asks for some explanations, and returns their names."""
    with Sequela(address) as sequela:
        return [
            sequela.explain(GRU.sample(12), model="gru", background=GRU.average(), seed=seed).name
            for seed in range(count)
        ]


def kept(server: RedisServer) -> list[str]:
    """The names in Redis."""
    redis = RedisConnection(server.url, Heard(), PATIENT)
    try:
        return [f"explanations/{name}" for name in listed(RedisRecords(redis))]
    finally:
        redis.close()


@pytest.mark.slow
def test_a_server_that_stops_pays_its_debts(fragile_redis: RedisServer, tmp_path: Path) -> None:
    """SIGTERM comes after Redis is back, and nobody has asked for anything since: all that was answered is in Redis."""
    with process(fragile_redis, tmp_path) as (server, address):
        fragile_redis.stop()
        names = explain(address, 40)
        fragile_redis.start()
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=PATIENCE)
    assert server.returncode == 0
    assert sorted(kept(fragile_redis)) == sorted(names)
    assert "explanations owed" not in log
    assert list((tmp_path / "outbox").glob("*.db")) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_server_pays(fragile_redis: RedisServer, tmp_path: Path, number: signal.Signals) -> None:
    """Redis is still down when the server ends, or is killed: the next server on the host sends what was owed, and has
    it for readers meanwhile.
    """
    with process(fragile_redis, tmp_path) as (server, address):
        fragile_redis.stop()
        names = explain(address, 10)
        server.send_signal(number)
        _, log = server.communicate(timeout=PATIENCE)
        assert ("explanations owed" in log) == (number == signal.SIGTERM)
    with process(fragile_redis, tmp_path) as (_, address):
        with Sequela(address) as sequela:
            assert sequela.get_explanation(names[3]).name == names[3]
        fragile_redis.start()
        eventually(lambda: sorted(kept(fragile_redis)) == sorted(names), PATIENCE)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_minutes_of_alerts_are_owed(
    redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What 48 alerts a second make in ten minutes, as fast as it can be put into the outbox while Redis is down: all of
    it is in Redis afterwards, and nothing was dropped.
    """
    heard, count = Heard(), 28_800
    redis = RedisConnection(redis_server.url, heard, PATIENT, probe_interval_seconds=0.1)
    store = shared_store(redis, SharedStoreOptions(tmp_path, retry_seconds=0.1))
    redis_server.stop()
    body = os.urandom(7_700)  # the size of an explanation of the demo's model, compressed
    start = time.monotonic()
    for number in range(count):
        store.records.add(record(number, body=body), body, f"key {number}")
    put = time.monotonic()
    size = sum(path.stat().st_size for path in tmp_path.glob("*.db*"))
    redis_server.start()
    eventually(lambda: heard.of(ExplanationsOwed)[-1].count == 0, 400)
    sent = time.monotonic()
    assert sum(each.dropped for each in heard.of(ExplanationsOwed)) == 0
    with capsys.disabled():
        sys.stdout.write(
            f"\n{count} explanations owed: {count / (put - start):.0f} a second into the outbox, {size >> 20} MiB; "
            f"{count / (sent - put):.0f} a second sent\n"
        )
    assert len(listed(RedisRecords(redis), limit=1000)) == count
    store.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sentinels_lead_to_the_next_master(tmp_path: Path) -> None:
    """The master is killed while eight callers ask: sentinels promote its replica, no caller fails, and everything that
    was answered while there was no master is in the new one.
    """
    with ExitStack() as stack:
        start = contextmanager(running)
        master = stack.enter_context(start())
        replica = stack.enter_context(start("--replicaof", "127.0.0.1", str(master.port)))
        eventually(lambda: replica.client().info("replication")["master_link_status"] == "up")
        sentinels = [
            stack.enter_context(start(_sentinel(tmp_path, n, master.port), "--sentinel")) for n in range(3)
        ]
        for sentinel in sentinels:
            eventually(functools.partial(_knows_all, sentinel), PATIENCE)
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
        here = stack.enter_context(serving(tmp_path, f"redis+sentinel://{hosts}/mymaster"))
        sequela = stack.enter_context(Sequela(here.bound.grpc))
        callers = Callers(sequela, 8)
        with callers:
            eventually(lambda: len(callers.names) > 30, PATIENCE)
            master.stop()
            before = len(callers.names)
            eventually(lambda: metric(here, "sequela_store_up") == 0, PATIENCE)
            eventually(lambda: metric(here, "sequela_store_up") == 1, PATIENCE)
            eventually(lambda: metric(here, "sequela_store_owed{") == 0, PATIENCE)
        assert callers.failures == []
        redis = RedisConnection(replica.url, Heard(), PATIENT)
        found = {f"explanations/{name}" for name in listed(RedisRecords(redis), limit=1000)}
        redis.close()
        assert set(callers.names[before + 8 :]) <= found


def _sentinel(folder: Path, number: int, port: int) -> str:
    path = folder / f"sentinel-{number}.conf"
    path.write_text(
        f"sentinel monitor mymaster 127.0.0.1 {port} 2\n"
        # A busy machine takes a moment, and a master that only seems to be down must not be replaced.
        "sentinel down-after-milliseconds mymaster 3000\n"
        "sentinel failover-timeout mymaster 3000\n"
    )
    return str(path)


def _knows_all(sentinel: RedisServer) -> bool:
    state = sentinel.client().sentinel_master("mymaster")
    return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 1


@pytest.mark.slow
def test_two_servers_compute_an_answer_once(fragile_redis: RedisServer, tmp_path: Path) -> None:
    """Eight callers ask two servers the same at the same time: one computes it, and all get its answer."""
    with ExitStack() as stack:
        # On a busy machine, Redis may seem to be down otherwise, and both compute the answer.
        patient = {"redis_connect_timeout": 10.0, "redis_timeout": 20.0}
        servers = [stack.enter_context(serving(tmp_path, fragile_redis.url, **patient)) for _ in range(2)]
        clients = [stack.enter_context(Sequela(server.bound.grpc)) for server in servers]
        start = threading.Barrier(8)

        def ask(number: int) -> Explanation:
            start.wait()
            return clients[number % 2].explain(GRU.sample(12), model="gru", background=GRU.average(), seed=7)

        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(ask, range(8)))

        def count(outcome: str) -> float:
            name = f'sequela_explanations_total{{outcome="{outcome}"}}'
            return sum(metric(server, name) for server in servers)

        eventually(lambda: count("ok") + count("cached") == 8)
        assert (count("ok"), count("cached")) == (1, 7)
        assert len({answer.name for answer in answers}) == 1
