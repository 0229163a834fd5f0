"""What an explanation costs apart from the model: a tiny model is explained again and again, with a profile."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.cases import Case
from benchmarks.effort import Effort
from benchmarks.growth import percentile
from benchmarks.ours import Ours, Timed, serving
from benchmarks.profiles import Share, profiled
from benchmarks.report import Finding, ms, table

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "tests" / "fixtures" / "models" / "gru" / "1" / "model.onnx"
LENGTH, WIDTH = 6, 5
OURS = "(sequela/"  # in the file that py-spy writes
STAGES = ("resolve", "score", "prune", "event", "feature", "cell")
LEAST = 0.005  # smallest share of a function that is listed
SHOWN = 25  # number of our own functions in the table


@dataclass(frozen=True, slots=True)
class Row:
    """The time of an explanation of a tiny model.

    Args:
        calls: how many explanations were timed.
        p50: the median time at the client, in seconds.
        p99: the 99th percentile, in seconds.
        bare_call: the median time of a call that only looks up the model, in seconds.
        stages: the median time of each stage in the server, in seconds.
        profile: functions, with their share of the server's time.
    """

    calls: int
    p50: float
    p99: float
    bare_call: float
    stages: dict[str, float]
    profile: tuple[Share, ...]

    @property
    def outside(self) -> float:
        """The time that belongs to no stage: client, network, decoding, queue and encoding."""
        return self.p50 - sum(self.stages.values())


def study(effort: Effort, folder: Path) -> Finding:
    """Times calls one after another, with default settings and a new seed each time, and repeats this under a
    profiler.
    """
    rng = np.random.default_rng(0)
    alert = rng.normal(size=(LENGTH, WIDTH)).astype(np.float32)
    case = Case("tiny", MODEL, {"events": alert}, {"events": np.zeros(WIDTH, np.float32)}, ())
    stacks = folder / "profile.folded"
    with serving() as server:
        seeds = iter(range(1 << 31))
        for _ in range(effort.calls // 4):
            server.explain(case, next(seeds))
        done = [server.explain(case, next(seeds)) for _ in range(effort.calls)]
        looked_up = [_look_up(server, done[0].explanation.model) for _ in range(effort.calls)]
        with profiled(server.pid, stacks) as shares:
            for _ in range(2 * effort.calls):
                server.explain(case, next(seeds))
        row = _row(done, looked_up, shares)
    files = [stacks] if stacks.exists() else []
    return Finding("latency", [row], [_times(row), _profile(row)], files=files)


def _look_up(server: Ours, model: str) -> float:
    started = time.perf_counter()
    server.sequela.get_model(model)
    return time.perf_counter() - started


def _row(done: Sequence[Timed], looked_up: Sequence[float], shares: Sequence[Share]) -> Row:
    seconds = [each.seconds for each in done]
    stages = [each.explanation.cost.stage_seconds for each in done]
    names = sorted(stages[0], key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES))
    medians = {name: float(np.median([each.get(name, 0.0) for each in stages])) for name in names}
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return Row(
        len(done),
        p50,
        p99,
        percentile(looked_up, 0.5),
        medians,
        tuple(share for share in shares if share.below >= LEAST),
    )


def _times(row: Row) -> Table:
    parts = {"p50": row.p50, "p99": row.p99}
    parts |= {f"  stage {name}": seconds for name, seconds in row.stages.items()}
    parts |= {"  outside the stages": row.outside, "beside it: looking a model up": row.bare_call}
    title = f"Tiny model ({LENGTH} x {WIDTH}) through gRPC, {row.calls} calls one after another"
    return table(title, ("median", "ms"), [[name, ms(seconds)] for name, seconds in parts.items()])


def _profile(row: Row) -> Table:
    ours = sorted((share for share in row.profile if OURS in share.function), key=lambda share: -share.below)
    shown = [[share.function, f"{share.below:.1%}", f"{share.inside:.1%}"] for share in ours[:SHOWN]]
    return table(
        "Where the interpreter's time goes", ("function of ours", "with what it calls", "itself"), shown
    )
