"""The whole server on a real Redis: what survives a restart, and what happens when Redis goes away."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from matrix import BY_NAME, copy_models
from metric_text import sum_of_series
from redis_server import RedisServer, fragile_redis
from sequela_client import NotFound, Retries, Sequela, TryAgain
from serving import Serving, embedded
from waiting import PATIENCE, eventually

__all__ = ["fragile_redis"]

GRU = BY_NAME["gru"]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model repository with the GRU."""
    return copy_models(tmp_path, ["gru"])


def serving(redis: RedisServer, models: Path, **changed: Any) -> Serving:
    # On a busy machine, Redis may seem to be down otherwise.
    patient = {"redis_connect_timeout": 2.0, "redis_timeout": 20.0}
    given = {"store": redis.url, "redis_retry_after": 0.2, **patient, **changed}
    return Serving(embedded(model_repository=models, **given))


def metric(running: Serving, name: str) -> float:
    return sum_of_series(
        httpx.get(f"http://{running.bound.http}/metrics", verify=False, timeout=PATIENCE).text, name
    )


def test_backgrounds_models_and_explanations_survive_a_restart(
    fragile_redis: RedisServer, models: Path
) -> None:
    """A background by name, an uploaded model by digest, and an explanation by name are there for the next server."""
    average = {"events": GRU.average()["events"]}
    with serving(fragile_redis, models) as first, Sequela(first.bound.grpc) as sequela:
        sequela.create_background("models/gru/backgrounds/usual", average, model="gru")
        uploaded = sequela.register_model(GRU.path, name="mine")
        made = sequela.explain(GRU.sample(9), model="gru", background="usual")
    with serving(fragile_redis, models) as second, Sequela(second.bound.grpc) as sequela:
        again = sequela.explain(GRU.sample(9), model="gru", background="usual", seed=1)
        assert again.background_digest == made.background_digest
        assert [each.value for each in again.events] == pytest.approx([each.value for each in made.events])
        assert sequela.get_explanation(made.name).levels == made.levels
        assert sequela.get_model("mine").digest == uploaded.digest
        other = sequela.explain(GRU.sample(9), model="mine", background=average)
        assert other.score == made.score


@pytest.mark.parametrize("there", [pytest.param(True, marks=pytest.mark.slow), False])
def test_the_state_of_redis_is_known_before_the_first_call(
    fragile_redis: RedisServer, models: Path, there: bool
) -> None:
    """The server starts with and without it; the metric says which, though nobody has asked for anything."""
    if not there:
        fragile_redis.stop()
    with serving(fragile_redis, models) as running:
        if not there:
            fragile_redis.start()
        eventually(lambda: metric(running, "sequela_store_up") == 1)


def test_a_foreign_key_in_redis_is_no_outage(fragile_redis: RedisServer, models: Path) -> None:
    """Lists spoiled by somebody else are empty, and fill again; callers are not told to try again for ever."""
    with serving(fragile_redis, models) as running, Sequela(running.bound.grpc) as sequela:
        uploaded = sequela.register_model(GRU.path, name="mine")
        for name in ("models", "explanations", "backgrounds"):
            fragile_redis.client().set(f"sequela:v1:{name}", "x")
        assert uploaded.name not in [model.name for model in sequela.models()]
        assert list(sequela.list_explanations()) == []
        sequela.create_background("models/gru/backgrounds/usual", GRU.average(), model="gru")
        assert sequela.register_model(GRU.path, name="mine").name == uploaded.name
        assert uploaded.name in [model.name for model in sequela.models()]
        assert sequela.explain(GRU.sample(9), model="mine", background=GRU.average()).score


def test_redis_stopped_in_mid_run_fails_nothing(fragile_redis: RedisServer, models: Path) -> None:
    """Explanations go on while Redis is down and come back with it; metrics say so; what must last is refused."""
    average, once = GRU.average(), Retries(attempts=1)
    with serving(fragile_redis, models) as running, Sequela(running.bound.grpc, retries=once) as sequela:
        sequela.create_background("models/gru/backgrounds/usual", average, model="gru")
        assert metric(running, "sequela_store_up") == 1
        failures: list[Exception] = []
        answered: list[int] = []
        stop = threading.Event()

        def callers(first: int) -> None:
            for seed in itertools.count(first, step=3):
                if stop.wait(0.02):
                    return
                try:
                    sequela.explain(GRU.sample(12), model="gru", background="usual", seed=seed)
                    answered.append(seed)
                except Exception as error:
                    failures.append(error)

        threads = [threading.Thread(target=callers, args=(first,)) for first in range(3)]
        for thread in threads:
            thread.start()
        fragile_redis.stop()
        eventually(lambda: metric(running, "sequela_store_up") == 0)
        before = len(answered)
        eventually(lambda: len(answered) >= before + 6 or bool(failures))
        with pytest.raises(TryAgain) as refused:
            sequela.create_background("models/gru/backgrounds/other", average, model="gru")
        assert refused.value.retry_after
        assert httpx.get(f"http://{running.bound.http}/readyz", timeout=PATIENCE).status_code == 200
        fragile_redis.start()
        eventually(lambda: metric(running, "sequela_store_up") == 1)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        # Also those that were being computed when Redis went away: their leases were given back when it returned.
        for seed in answered:
            assert sequela.explain(GRU.sample(12), model="gru", background="usual", seed=seed).score
        with pytest.raises(NotFound):
            sequela.explain(GRU.sample(12), model="gru", background="unknown")
