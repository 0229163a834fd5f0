"""Our side of every measurement: the real server in a process of its own, asked by the real client."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sequela_client import Explanation, Sequela
from sequela_client.cli.local_server import embedded_server

from benchmarks.cases import DEMO, Case
from benchmarks.effort import Effort
from benchmarks.halts import watched
from benchmarks.processes import children, forget_peak, peak_mb, resident_mb

TIMEOUT = 600.0
TOLERANCE = 0.025
TOP = 3  # events and features whose cells are single players

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timed:
    """An explanation, its wall time at the client, and the server's peak memory above its idle one."""

    explanation: Explanation
    seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Ours:
    """A running server. `idle_mb`: its memory before it was asked anything."""

    address: str
    sequela: Sequela
    pid: int
    idle_mb: float

    def explain(self, case: Case, seed: int, **options: Any) -> Timed:
        """One explanation with the paper's pruning and TOP times TOP cells, unless the options say otherwise."""
        usual: Options = {
            "pruning_tolerance": TOLERANCE,
            "top_k_events": TOP,
            "top_k_features": TOP,
            "timeout": TIMEOUT,
        }
        forget_peak(self.pid)
        started = time.perf_counter()
        explanation = self.sequela.explain(
            case.inputs, model=case.model, background=case.background, seed=seed, **usual | options
        )
        seconds = time.perf_counter() - started
        return Timed(explanation, seconds, peak_mb(self.pid) - self.idle_mb)

    def repeat(self, case: Case, effort: Effort, **options: Any) -> list[Timed]:
        """Explanations with different seeds, as many as the effort wants and its seconds allow, two at least; one
        before them, which brings the model and what is kept of its background, does not count. Seconds in which the
        whole machine stood still are taken out.
        """
        self.explain(case, effort.repeats, **options)
        done: list[Timed] = []
        for seed in range(effort.repeats):
            if len(done) < 2 or sum(each.seconds for each in done) < effort.seconds:
                with watched() as watch:
                    timed = self.explain(case, seed, **options)
                done.append(replace(timed, seconds=max(timed.seconds - watch.seconds, 0.0)))
        return done


@contextmanager
def serving(*arguments: str) -> Iterator[Ours]:
    """A server with the demo's models, and a client of it."""
    before = set(children(os.getpid()))
    repository = ("--model-repository", str(DEMO / "models"))
    with embedded_server([*repository, *arguments]) as address, Sequela(address) as sequela:
        (pid,) = set(children(os.getpid())) - before
        yield Ours(address, sequela, pid, resident_mb(pid))


def unpruned(explanation: Explanation) -> int:
    """Events that are players of their own."""
    return explanation.length - explanation.pruning.pruned_events
