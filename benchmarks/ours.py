"""Runs Sequela for the measurements: the server in its own process, called by the client."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sequela_client import Explanation, Sequela
from sequela_client.local_server import embedded_server

from benchmarks.cases import DEMO, Case
from benchmarks.effort import Effort
from benchmarks.halts import watched
from benchmarks.processes import children, forget_peak, peak_mb, resident_mb

TIMEOUT = 600.0
TOLERANCE = 0.025
TOP = 3  # how many events and how many features are split into cells

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timed:
    """An explanation, its wall time at the client, and the server's peak memory above its idle one."""

    explanation: Explanation
    seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Ours:
    """A running server. `idle_mb` is its memory before the first request."""

    address: str
    sequela: Sequela
    pid: int
    idle_mb: float

    def explain(self, case: Case, seed: int, **options: Any) -> Timed:
        """Makes one explanation, by default with the paper's pruning tolerance and TOP x TOP cells."""
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
        """Makes explanations with different seeds, as many as the effort says and its seconds allow, and at least two.

        A first explanation, which uploads the model and caches states of the background, is not counted. Seconds in
        which the whole machine stood still are subtracted.
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
    """Starts a server with the demo's models, and yields it with a client."""
    before = set(children(os.getpid()))
    repository = ("--model-repository", str(DEMO / "models"))
    with embedded_server([*repository, *arguments]) as address, Sequela(address) as sequela:
        (pid,) = set(children(os.getpid())) - before
        yield Ours(address, sequela, pid, resident_mb(pid))


def unpruned(explanation: Explanation) -> int:
    """Returns the number of events that were not pruned."""
    return explanation.length - explanation.pruning.pruned_events
