"""Measures alerts on a server that has one core for itself. The client runs on the other cores."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.alerts.alert_models import AlertModel, write_repository
from benchmarks.alerts.counters import read_counters
from benchmarks.alerts.questions import Questions, explanations, mean_rows
from benchmarks.alerts.rounds import in_turn, rounds
from benchmarks.alerts.sender import Sent, send_at, send_in_turn, sender_process
from benchmarks.alerts.version_server import VersionServer, bound_to, version_server
from benchmarks.alerts.versions import Version
from benchmarks.arrivals import first_arrivals
from benchmarks.beside import say
from benchmarks.effort import Effort
from benchmarks.halts import watched

SHARES = (0.5, 0.8)  # of saturation
IN_FLIGHT = 4  # requests at saturation, so that one always waits
PHASE_SHARE = 0.25  # of the seconds of a load, for the alerts of a phase at saturation
WARM_UP = 1000  # largest number of alerts before anything is measured, so that nearly all designs are built
FEWEST = 2  # alerts of a phase, however slow the model is
FEWEST_SHARE = 40  # calls of the effort for each alert that a phase has at least


@dataclass(frozen=True, slots=True)
class OneCoreRound:
    """What one server did with the alerts of a model.

    Args:
        wall: how long each alert took while no other was sent, in seconds.
        cpu: the processor time of the server for each of these alerts, in seconds.
        parts: the time in each part of the explanation of an alert, in seconds. A part may contain others.
        rows: how many rows the model ran for an alert.
        per_second: how many alerts a second it answered at saturation.
        saturated_rows: as `rows`, at saturation. It is the same, unless the server answers less surely under load.
        loads: the latencies at each of `SHARES` of this, in seconds.
        failures: how many calls failed.
        stood_still: the longest time that the whole machine stood still, in seconds.
    """

    wall: tuple[float, ...]
    cpu: float
    parts: dict[str, float]
    rows: float
    per_second: float
    saturated_rows: float
    loads: tuple[tuple[float, ...], ...]
    failures: int
    stood_still: float


@dataclass(frozen=True, slots=True)
class OneCoreRow:
    """The rounds of a version of Sequela with a model. `alerts` is the number of alerts of a phase."""

    model: str
    version: str
    alerts: int
    rounds: tuple[OneCoreRound, ...]


Send = Callable[..., Sent]
"""Runs one of the functions of `sender.py` in the client's process."""


def measure_one_core(
    model: AlertModel, versions: Sequence[Version], effort: Effort, folder: Path
) -> list[OneCoreRow]:
    """Measures a model with all versions. In each round every version has a new server, and the order alternates.

    All versions get the same alerts in every phase, and no alert twice.
    """
    repositories = {
        each.name: write_repository([model], each, folder / f"{model.name}-{each.name}") for each in versions
    }
    questions, found = Questions(model), {each.name: list[OneCoreRound]() for each in versions}
    alerts = 0
    own, others = split_cores()
    with bound_to(others), sender_process(others) as process:
        for number in range(rounds(effort)):
            for version in in_turn(versions, number):
                say(f"alerts: {model.title}, {version.name}, round {number + 1} of {rounds(effort)}")
                arguments = ("--model-repository", str(repositories[version.name]))
                with version_server(version, arguments, own, folder) as server:
                    warm = _warm_up(server, process, questions, effort)
                    # The first version is the slowest, so its rate says how many alerts all get.
                    alerts = alerts or alerts_of_phase(warm.per_second, effort)
                    found[version.name].append(_round(server, process, questions, alerts, number))
    return [OneCoreRow(model.title, name, alerts, tuple(each)) for name, each in found.items()]


def alerts_of_phase(per_second: float, effort: Effort) -> int:
    """Returns how many alerts a phase has if a server explains as many a second."""
    wanted = round(per_second * effort.seconds * PHASE_SHARE)
    return min(max(wanted, effort.calls // FEWEST_SHARE, FEWEST), effort.calls)


def split_cores() -> tuple[set[int], set[int]]:
    """Returns the core of the server and those of the client; the same one if there is only one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


def _warm_up(
    server: VersionServer, process: ProcessPoolExecutor, questions: Questions, effort: Effort
) -> Sent:
    requests = questions.requests(0, WARM_UP)
    return process.submit(send_in_turn, server.grpc, requests, 1, seconds=effort.seconds).result()


def _round(
    server: VersionServer, process: ProcessPoolExecutor, questions: Questions, alerts: int, number: int
) -> OneCoreRound:
    firsts = count(WARM_UP, alerts)

    def send(function: Send, *arguments: Any) -> Sent:
        return process.submit(
            function, server.grpc, questions.requests(next(firsts), alerts), *arguments
        ).result()

    with watched() as watch:
        earlier = read_counters(server)
        alone = send(send_in_turn, 1)
        used = read_counters(server).since(earlier).each(alerts)
        full = send(send_in_turn, IN_FLIGHT)
        loads = [
            send(send_at, first_arrivals(alerts, share * full.per_second, seed=number).tolist())
            for share in SHARES
        ]
    for each in loads:
        explanations(each.answers)
    return OneCoreRound(
        alone.latencies,
        used.cpu_seconds,
        dict(used.parts),
        mean_rows(explanations(alone.answers)),
        full.per_second,
        mean_rows(explanations(full.answers)),
        tuple(each.latencies for each in loads),
        sum(sum(each.failures.values()) for each in (alone, full, *loads)),
        watch.longest,
    )
