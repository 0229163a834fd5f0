"""Servers of two releases share a store during an upgrade, and after it was rolled back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from end_to_end.test_redis_outage import GRU, PACKAGES, Callers, process_arguments
from metric_text import sum_of_series
from redis_server import RedisServer, fragile_redis
from sequela_client import Explanation, NotFound, Sequela
from waiting import PATIENCE, eventually

__all__ = ["fragile_redis"]

THIS = ("-m", "sequela")
NEXT = (str(Path(__file__).with_name("next_release_server.py")),)
PATIENT = ("--redis-connect-timeout", "10", "--redis-timeout", "20")
"""On a busy machine, Redis may seem to be down otherwise, and answers are then computed again."""
ENGINES = ("--engines", "1")
IN_PROCESS = ("--engines", "0")  # what the next release changes is changed in its own process only


@dataclass(frozen=True)
class Running:
    """A server in a process of its own: a client of it, where its HTTP port is, and its log."""

    sequela: Sequela
    http: str
    log: Path

    def explain(self, seed: int) -> Explanation:
        return self.sequela.explain(GRU.sample(12), model="gru", background=GRU.average(), seed=seed)

    def skipped(self) -> float:
        """How many stored entries of another version it has passed over."""
        text = httpx.get(f"http://{self.http}/metrics", verify=False, timeout=PATIENCE).text
        return sum_of_series(text, 'sequela_store_skipped_total{reason="version"}')


@contextmanager
def release(
    program: tuple[str, ...], folder: Path, store: str, engines: tuple[str, ...] = IN_PROCESS
) -> Iterator[Running]:
    """Starts a server of a release, and stops it at the end."""
    number = len(list(folder.glob("ready-*")))
    ready, log = folder / f"ready-{number}.json", folder / f"log-{number}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PACKAGES)}
    command = [sys.executable, *program, *process_arguments(folder, store, ready), *PATIENT, *engines]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, env=environment)
    try:
        eventually(ready.exists, PATIENCE)
        bound = json.loads(ready.read_text())
        with Sequela(bound["grpc"]) as sequela:
            yield Running(sequela, bound["http"], log)
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def names(server: Running) -> set[str]:
    return {each.name for each in server.sequela.list_explanations()}


def assert_passes_over(server: Running, newer: list[Explanation]) -> None:
    """A server of this release lists what the next one wrote, cannot read it, and explains the same again."""
    assert names(server) >= {each.name for each in newer}
    before = server.skipped()
    with pytest.raises(NotFound):
        server.sequela.get_explanation(newer[0].name)
    found = server.skipped()
    assert found > before
    again = server.explain(newer[0].options.seed)
    assert not again.cost.cached
    assert (again.score, [each.value for each in again.events]) == (
        newer[0].score,
        [each.value for each in newer[0].events],
    )
    assert server.skipped() > found  # also if an engine has looked for an answer
    written, _, _ = server.log.read_text().rpartition("\n")  # the last line may still be written
    lines = [json.loads(line) for line in written.splitlines()]
    skips = [line for line in lines if line["event"] == "stored entry skipped"]
    assert {line["reason"] for line in skips} == {"version"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_releases_share_a_redis(fragile_redis: RedisServer, tmp_path: Path) -> None:
    """The next one reads what this one wrote. What it writes, this one passes over, counts and logs. Nobody's call
    fails meanwhile, not even where both are asked the same at the same time, nor after the upgrade was rolled back.
    """
    with release(THIS, tmp_path, fragile_redis.url, ENGINES) as this:
        older = [this.explain(seed) for seed in range(3)]
        with release(NEXT, tmp_path, fragile_redis.url) as following:
            assert [following.sequela.get_explanation(each.name).score for each in older] == [
                each.score for each in older
            ]
            assert following.explain(0).cost.cached
            assert following.explain(0).name == older[0].name
            newer = [following.explain(seed) for seed in range(10_000, 10_003)]
            assert_passes_over(this, newer)
            with Callers(this.sequela, 2) as here, Callers(following.sequela, 2) as there:
                eventually(lambda: min(len(here.names), len(there.names)) > 20, PATIENCE)
            assert here.failures == there.failures == []
            assert names(following) >= {*here.names, *there.names}
            assert {following.sequela.get_explanation(name).name for name in there.names} == set(there.names)
    with release(THIS, tmp_path, fragile_redis.url, ENGINES) as this:
        assert_passes_over(this, newer[1:])
        assert this.explain(0).name == older[0].name
        assert this.sequela.delete_explanations(name=newer[2].name) == 1
        assert newer[2].name not in names(this)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_upgrade_of_a_file_is_rolled_back(tmp_path: Path) -> None:
    """The next release adds to the file of this one, which then goes on with it."""
    store = str(tmp_path / "store.db")
    with release(THIS, tmp_path, store) as this:
        older = this.explain(0)
    with release(NEXT, tmp_path, store) as following:
        assert following.explain(0).name == older.name
        newer = [following.explain(seed) for seed in range(10_000, 10_002)]
    with release(THIS, tmp_path, store) as this:
        assert_passes_over(this, newer)
        assert this.sequela.get_explanation(older.name).score == older.score
