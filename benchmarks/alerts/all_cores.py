"""Measures alerts on servers that may use all cores, one alert at a time: at default settings, and with the full number
of coalitions beside the bare model.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sequela_proto.v1 import sequela_pb2 as pb

from benchmarks.alerts.alert_models import AlertModel, Inputs, write_repository
from benchmarks.alerts.questions import Questions, explanations
from benchmarks.alerts.rounds import in_turn, rounds
from benchmarks.alerts.sender import Sent, send_in_turn, sender_process
from benchmarks.alerts.version_server import VersionServer, version_server
from benchmarks.alerts.versions import Version
from benchmarks.bare import rate
from benchmarks.beside import say
from benchmarks.cases import Case
from benchmarks.effort import Effort
from benchmarks.ours import TOLERANCE, TOP

IN_PROCESS = ("--engines", "0")  # with engines, an explanation would use one core only


@dataclass(frozen=True, slots=True)
class AllCoresRow:
    """The results of a version of Sequela with a model.

    Args:
        model: the title of the model.
        version: the name of the version.
        wall: the mean time of an alert at default settings, in seconds, in each round.
        full: the time of an alert with the full number of coalitions, in seconds, in each round.
        bare: the time of the bare model for the rows and events of that explanation, in seconds. NaN for a model with
            static inputs.
    """

    model: str
    version: str
    wall: tuple[float, ...]
    full: tuple[float, ...]
    bare: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Sample:
    wall: float
    full: float
    bare: float


@dataclass(frozen=True, slots=True)
class AllCores:
    """Running servers, one of each version, and how they are measured.

    Args:
        servers: the servers, all with the same models.
        process: where the client runs.
        repository: the models.
        effort: how much to measure.
    """

    servers: Sequence[VersionServer]
    process: ProcessPoolExecutor
    repository: Path
    effort: Effort

    def measure(self, model: AlertModel) -> list[AllCoresRow]:
        """Measures a model. The order of the servers alternates; all get the same alerts, and none of them twice."""
        usual, full = Questions(model), Questions(model, full_options(self.effort))
        found: dict[str, list[_Sample]] = {each.version.name: [] for each in self.servers}
        for server in self.servers:  # warms them up
            self._explain(server, usual, full, 0)
        for number in range(1, rounds(self.effort) + 1):
            speeds: dict[int, float] = {}
            for server in in_turn(self.servers, number):
                say(f"alerts: {model.title}, all cores, {server.version.name}, round {number}")
                wall, dear = self._explain(server, usual, full, number)
                (explanation,) = explanations(dear.answers)
                bare = self._bare_seconds(model, full.alerts(number, 1)[0], explanation, speeds)
                sample = _Sample(float(np.mean(wall.latencies)), dear.latencies[0], bare)
                found[server.version.name].append(sample)
        return [_row(model.title, name, samples) for name, samples in found.items()]

    def _explain(
        self, server: VersionServer, usual: Questions, full: Questions, number: int
    ) -> tuple[Sent, Sent]:
        """Explains the alerts of a round at default settings, and one with the full number of coalitions."""
        alerts = self.effort.repeats
        wall = self._send(server, usual.requests(number * alerts, alerts))
        explanations(wall.answers)
        return wall, self._send(server, full.requests(number, 1))

    def _send(self, server: VersionServer, requests: Sequence[bytes]) -> Sent:
        sent = self.process.submit(send_in_turn, server.grpc, requests, 1).result()
        if sent.failures:
            raise RuntimeError(
                f"calls of the server of version {server.version.name} failed: {sent.failures}"
            )
        return sent

    def _bare_seconds(
        self, model: AlertModel, inputs: Inputs, explanation: pb.Explanation, speeds: dict[int, float]
    ) -> float:
        """Returns the time of the bare model, whose speed is measured once in a round for a number of events."""
        if any(len(values) != explanation.event_count for values in inputs.values()):
            return float("nan")  # static inputs have no events to run
        events = events_of_rows(explanation)
        if events not in speeds:
            case = Case(model.title, self.repository / model.name / "1" / "model.onnx", inputs, {}, ())
            speeds[events] = rate(case, events, self.effort.bare_seconds)
        return explanation.cost.model_events / speeds[events]


@contextmanager
def all_cores(
    models: Sequence[AlertModel], versions: Sequence[Version], effort: Effort, folder: Path
) -> Iterator[AllCores]:
    """Starts a server of each version with all models, and a process for the client."""
    cores = os.sched_getaffinity(0)
    with ExitStack() as stack:
        servers = []
        for version in versions:
            repository = write_repository(models, version, folder / f"all-{version.name}")
            arguments = ("--model-repository", str(repository), *IN_PROCESS)
            servers.append(stack.enter_context(version_server(version, arguments, cores, folder)))
        yield AllCores(servers, stack.enter_context(sender_process(cores)), repository, effort)


def full_options(effort: Effort) -> dict[str, Any]:
    """Returns the options of the cases beside other explainers: no early stop, TOP x TOP cells."""
    return {
        "max_coalitions": effort.coalitions,
        "target_standard_error": 0.0,
        "pruning_tolerance": TOLERANCE,
        "top_k_events": TOP,
        "top_k_features": TOP,
    }


def events_of_rows(explanation: pb.Explanation) -> int:
    """Returns the number of events in each row: all if the model ran on whole sequences, else the unpruned ones."""
    whole = explanation.cost.model_events >= explanation.cost.model_rows * explanation.event_count
    return explanation.event_count - (0 if whole else explanation.pruning.pruned_events)


def _row(model: str, version: str, samples: Sequence[_Sample]) -> AllCoresRow:
    return AllCoresRow(
        model,
        version,
        tuple(each.wall for each in samples),
        tuple(each.full for each in samples),
        tuple(each.bare for each in samples),
    )
