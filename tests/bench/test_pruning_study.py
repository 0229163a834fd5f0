"""Table 1 on our data: the sequences, and the numbers beside an independent computation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sequela_client.cohort import RunOptions

from benchmarks import pruning
from benchmarks.arem.data import AremNotFound
from benchmarks.effort import QUICK
from benchmarks.peers.scorer import Scorer

EFFORT = replace(QUICK, alerts=3, coalitions=1024)


@pytest.mark.slow
def test_the_table_of_the_demo(real: str, tmp_path: Path) -> None:
    """Lengths from the rows that were pruned at each tolerance, and the RSD over two seeds, by numpy."""
    found = pruning.measure(pruning.demo(EFFORT, tmp_path), EFFORT, tmp_path / "demo", RunOptions((real,)))
    parts = sorted((tmp_path / "demo" / "cohort").glob("part-*.parquet"))
    explained = [row for part in parts for row in pq.read_table(part).to_pylist()]
    assert len(explained) == 3 * 2 * 7
    assert [row.tolerance for row in found] == [None, *pruning.TOLERANCES]
    for row in found:
        mine = [each for each in explained if each["pruning"]["tolerance"] == (row.tolerance or 0.0)]
        lengths = [
            each["length"] - each["pruned_events"] + (each["pruned_events"] > 0)
            for each in mine
            if each["seed"] == 0
        ]
        assert row.sequences == len(lengths) == 3
        assert (row.mean_length, row.median_length, row.max_length) == pytest.approx(
            (np.mean(lengths), np.median(lengths), max(lengths))
        )
        assert row.exact_share == pytest.approx(np.mean(np.array(lengths) <= 10))
        assert row.rsd == pytest.approx(_rsd(mine), abs=1e-12)
    assert found[0].rsd is not None
    assert found[0].rsd > 0
    # After pruning all levels of the demo are exact.
    assert [row.rsd for row in found[1:]] == [0] * 6
    cells = [list(column.cells) for column in pruning.shown(found).columns]
    assert cells[4][1] == "50.0"  # the paper's mean length at 0.01


def _rsd(rows: list[dict[str, object]]) -> float:
    values: dict[tuple[object, object], list[float]] = {}
    for row in rows:
        for event in row["events"]:  # type: ignore[attr-defined]
            values.setdefault((row["id"], event["t"]), []).append(event["value"])
        if row["pruned_events"]:
            values.setdefault((row["id"], None), []).append(row["pruning"]["value"])  # type: ignore[index]
    ratios = [
        np.std(each, ddof=1) / abs(np.mean(each)) for each in values.values() if abs(np.mean(each)) >= 0.01
    ]
    return float(np.mean(ratios))


@pytest.mark.parametrize("name", list(pruning.CASES))
def test_only_positive_predictions_are_explained(name: str, tmp_path: Path) -> None:
    try:
        case = pruning.CASES[name](replace(EFFORT, alerts=6), tmp_path)
    except AremNotFound as missing:
        pytest.skip(str(missing))
    assert 3 <= len(case.sequences) <= 6
    score = Scorer(str(case.model))
    for each in case.sequences:
        assert score(np.column_stack(list(each.values()))[np.newaxis])[0, 0] >= 0.5
    assert len({len(next(iter(each.values()))) for each in case.sequences}) > 1
