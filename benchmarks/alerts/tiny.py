"""Measures a tiny model, whose explanations cost little but what surrounds the model, beside a call that only looks the
model up. Both are calls of the Python client.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sequela_client import Sequela

from benchmarks.alerts.alert_models import TINY_MODEL, Inputs
from benchmarks.alerts.all_cores import AllCores
from benchmarks.alerts.questions import SEED, Questions
from benchmarks.alerts.rounds import in_turn, rounds
from benchmarks.beside import say
from benchmarks.growth import percentile

CALLS_SHARE = 4  # calls of the effort for each call of a round


@dataclass(frozen=True, slots=True)
class TinyRow:
    """The results of a version of Sequela.

    Args:
        version: the name of the version.
        explain: the median time of an explanation, in seconds, in each round.
        look_up: the median time of the call that looks the model up, in seconds, in each round.
    """

    version: str
    explain: tuple[float, ...]
    look_up: tuple[float, ...]


def measure_tiny(setup: AllCores) -> list[TinyRow]:
    """Measures the tiny model, whose alerts all differ."""
    calls = max(setup.effort.calls // CALLS_SHARE, 1)
    questions = Questions(TINY_MODEL)
    found: dict[str, list[tuple[float, float]]] = {each.version.name: [] for each in setup.servers}
    for number in range(rounds(setup.effort) + 1):  # round 0 warms up
        alerts = questions.alerts(number * calls, calls)
        for server in in_turn(setup.servers, number):
            say(f"alerts: {TINY_MODEL.title}, {server.version.name}, round {number}")
            found[server.version.name].append(
                setup.process.submit(client_seconds, server.grpc, alerts).result()
            )
    return [TinyRow(name, *map(tuple, zip(*each[1:], strict=True))) for name, each in found.items()]


def client_seconds(address: str, alerts: Sequence[Inputs]) -> tuple[float, float]:
    """Returns the median times of explaining each alert, and of looking the model up as often, in seconds."""
    with Sequela(address) as sequela:
        ask = partial(sequela.explain, model=TINY_MODEL.name, seed=SEED)
        explain = [_seconds(partial(ask, alert)) for alert in alerts]
        look_up = [_seconds(partial(sequela.get_model, TINY_MODEL.name)) for _ in alerts]
    return percentile(explain, 0.5), percentile(look_up, 0.5)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
