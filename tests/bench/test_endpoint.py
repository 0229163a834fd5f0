"""What the endpoint benchmark rests on: a served model that gives the file's scores, and what an error takes."""

from __future__ import annotations

from math import isnan
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import gru
from benchmarks.endpoint import Row, needed
from benchmarks.peers.scorer import Scorer
from benchmarks.peers.served_model import Asking
from benchmarks.served import served

ROWS = attrgetter("rows")


@pytest.mark.slow
def test_a_served_model_gives_the_files_scores(tmp_path: Path) -> None:
    """In batches as they are asked for, one after another or side by side, all rows and calls counted."""
    case = gru(tmp_path, 12)
    rows = np.random.default_rng(0).normal(size=(50, 12, 45))
    wanted = Scorer(str(case.model))(rows)
    with served(case.model, 0.001) as uri:
        for at_once in (1, 4):
            asking = Asking(uri, 16, at_once)
            np.testing.assert_allclose(asking(rows), wanted, atol=1e-6)
            assert (asking.rows, asking.calls) == (50, 4)


def line(*points: tuple[float, float]) -> list[Row]:
    return [Row("ours", 0, (1.0,), rows, 0.0, error) for rows, error in points]


def test_what_an_error_takes() -> None:
    """Between two budgets as a power law, which sampling's error follows."""
    rows = line((100, 0.1), (400, 0.05), (1600, 0.025))
    assert needed(rows, 0.05, ROWS) == pytest.approx(400)
    assert needed(rows, 0.025 * np.sqrt(2), ROWS) == pytest.approx(800)
    assert needed(rows, 0.2, ROWS) == pytest.approx(100)
    assert needed([*rows, *line((6400, 0.08))], 0.05, ROWS) == pytest.approx(400)
    assert isnan(needed(rows, 0.02, ROWS))
    assert isnan(needed([], 0.1, ROWS))
