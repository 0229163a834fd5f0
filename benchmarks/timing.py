"""How long an explanation takes, beside timeshap: pruning, events and features of one recording.

Ours is timed at the client: the real server in a process of its own, asked over loopback. Both get the same number of
coalitions a level, and another seed each time, so that nothing is answered from what was kept.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from sequela_client import Explanation, Sequela
from sequela_client.cli.embedded import embedded_server

from benchmarks.arem.held_out import MODEL, HeldOut, held_out
from benchmarks.peers.jobs import run_timeshap

RECORDINGS = ("cycling/1", "cycling/3", "walking/1")
TOLERANCE = 0.025
COALITIONS = 4096  # a level
SEEDS = range(1, 6)
PEER_SEEDS = range(1, 4)


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over seeds, in milliseconds; `first` is our first answer, with the model's upload."""

    recording: str
    events: int
    unpruned: int
    first: float
    ours: float
    timeshap: float


def measure(name: str, sequela: Sequela) -> Row:
    """One recording. Raises AremNotFound where there are none."""
    sequence = held_out(name)
    print(f"{name}: ours", file=sys.stderr, flush=True)
    first, explanation = _timed(sequela, sequence, seed=0)
    ours = [_timed(sequela, sequence, seed)[0] for seed in SEEDS]
    print(f"{name}: timeshap", file=sys.stderr, flush=True)
    return Row(
        recording=name,
        events=sequence.length,
        unpruned=sequence.length - explanation.pruning.pruned_events,
        first=1000 * first,
        ours=1000 * float(np.median(ours)),
        timeshap=1000 * _timeshap(sequence),
    )


def measure_all() -> list[Row]:
    """Every recording, one server. Raises AremNotFound."""
    with embedded_server() as address, Sequela(address) as sequela:
        return [measure(name, sequela) for name in RECORDINGS]


def table(rows: Sequence[Row]) -> Table:
    """The rows as people read them."""
    shown = Table(title=f"Pruning, events and features; ms, {COALITIONS} coalitions")
    shown.add_column("recording", no_wrap=True)
    for column in ("events", "unpruned", "first", "ours", "timeshap", "times faster"):
        shown.add_column(column, justify="right")
    for row in rows:
        shown.add_row(
            row.recording,
            str(row.events),
            str(row.unpruned),
            f"{row.first:.0f}",
            f"{row.ours:.0f}",
            f"{row.timeshap:.0f}",
            f"{row.timeshap / row.ours:.1f}",
        )
    return shown


def _timed(sequela: Sequela, sequence: HeldOut, seed: int) -> tuple[float, Explanation]:
    started = time.perf_counter()
    explanation = sequela.explain(
        sequence.values,
        model=MODEL,
        background=sequence.background,
        levels=("event", "feature"),
        pruning_tolerance=TOLERANCE,
        feature_scope="unpruned",
        max_coalitions=COALITIONS,
        target_standard_error=0.0,  # never stop early
        seed=seed,
        timeout=120,
    )
    return time.perf_counter() - started, explanation


def _timeshap(sequence: HeldOut) -> float:
    """Seconds for the pruning and both levels, without imports and the making of its environment."""
    result = run_timeshap(
        MODEL,
        sequence.values.astype(np.float64),
        sequence.background.astype(np.float64),
        tolerance=TOLERANCE,
        nsamples=COALITIONS,
        seeds=PEER_SEEDS,
    )
    return result.seconds_pruning + float(np.median(result.events_seconds + result.features_seconds))
