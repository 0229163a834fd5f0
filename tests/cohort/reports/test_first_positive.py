"""First positive predictions, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.first_positive import first_positive_summary

pytestmark = pytest.mark.slow


def test_first_positive(cohort: Cohort, frame: pd.DataFrame) -> None:
    """The latest index first; sequences without a positive prediction last."""
    asked = frame[frame["status"] != "failed"]["first_positive"]
    found = cohort.first_positive().to_pandas()
    counts = asked.dropna().astype(int).value_counts().sort_index(ascending=False)
    assert found["t"].dropna().astype(int).tolist() == counts.index.tolist()
    assert found["n"].tolist() == [*counts.tolist(), int(asked.isna().sum())]
    assert found["share"].to_list() == pytest.approx((found["n"] / len(asked)).to_list())
    assert found["cumulative_share"].to_list() == pytest.approx((found["n"].cumsum() / len(asked)).to_list())


def test_summary(cohort: Cohort, frame: pd.DataFrame) -> None:
    asked = frame[frame["status"] != "failed"]
    positive = asked.dropna(subset="first_positive")
    assert first_positive_summary(cohort).to_pylist()[0] == pytest.approx(
        {
            "n": len(asked),
            "n_positive": len(positive),
            "share_positive": len(positive) / len(asked),
            "mean_t": positive["first_positive"].mean(),
            "median_t": positive["first_positive"].median(),
            "median_events": (positive["full_length"] + positive["first_positive"]).median(),
        }
    )


@pytest.mark.slow
def test_not_asked(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """A run that did not look for them is told apart from one that found none."""
    rows = [{**row, "first_positive": None} for row in known]
    write(tmp_path / "without", rows, metadata())
    with pytest.raises(NotInCohort, match="--first-positive THRESHOLD"):
        Cohort.open(tmp_path / "without").first_positive()
    write(tmp_path / "none", rows, metadata(first_positive=0.99))
    assert Cohort.open(tmp_path / "none").first_positive()["t"].to_pylist() == [None]
