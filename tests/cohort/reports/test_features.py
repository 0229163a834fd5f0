"""Reports by feature, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from sequela_client.cohort.dataset import Cohort


def test_feature_distribution(cohort: Cohort, feature_frame: pd.DataFrame) -> None:
    """Every number of each feature, the largest |mean| first."""
    found = cohort.features(threshold=0.03).to_pandas().set_index("feature")
    groups = feature_frame.groupby("feature")["value"]
    expected = pd.DataFrame(
        {
            "n": groups.size(),
            "mean": groups.mean(),
            "spread": groups.std(),
            "standard_error": groups.sem(),
            "median": groups.median(),
            "p05": groups.quantile(0.05),
            "q25": groups.quantile(0.25),
            "q75": groups.quantile(0.75),
            "p95": groups.quantile(0.95),
            "minimum": groups.min(),
            "maximum": groups.max(),
            "mean_absolute": groups.apply(lambda values: values.abs().mean()),
            "sampling_error": feature_frame.groupby("feature")["standard_error"].apply(
                lambda e: np.sqrt((e**2).mean())
            ),
            "above_threshold": groups.mean().abs() > 0.03,
        }
    ).sort_values("mean", key=lambda values: -values.abs())
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_names=False, check_dtype=False)
    assert list(found["above_threshold"]) == [True, True, False, False]
    assert set(found["kind"]) == {"feature"}


def test_static_inputs_are_one_player(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """All static inputs together have a row of their own kind."""
    explained = [row for row in known if "events" in row][:40]
    rows = [{**row, "static_value": 0.25, "static_standard_error": 0.01} for row in explained]
    write(tmp_path / "static", rows, metadata())
    found = Cohort.open(tmp_path / "static").features().to_pylist()
    static = next(row for row in found if row["kind"] == "static")
    assert (static["n"], static["mean"], static["sampling_error"]) == pytest.approx((len(rows), 0.25, 0.01))


def test_constant_features(cohort: Cohort) -> None:
    """The feature whose attribution is 0 everywhere is found, and that its displayed value never changes."""
    assert cohort.constant_features().to_pylist() == [
        {
            "feature": "unused",
            "n": cohort.features()["n"][0].as_py(),
            "largest": 0.0,
            "beyond": 0.0,
            "finding": "zero",
            "distinct_values": 1,
        }
    ]


def test_findings(tmp_path: Path) -> None:
    """Exactly 0, within two standard errors everywhere, and beyond them by chance alone are told apart."""
    random = np.random.default_rng(5)
    rows = [
        {
            "id": str(place),
            "variant": "",
            "row": place,
            "status": "explained",
            "features": [
                {"feature": "zero", "value": 1e-17, "standard_error": 0.0},
                {"feature": "within", "value": float(random.uniform(-0.019, 0.019)), "standard_error": 0.01},
                {"feature": "chance", "value": -0.05 if place < 4 else 0.0021, "standard_error": 0.02},
                {"feature": "often", "value": -0.05 if place < 6 else 0.0032, "standard_error": 0.02},
                {"feature": "shifted", "value": 0.015, "standard_error": 0.01 if place else 0.005},
                {"feature": "real", "value": 0.01, "standard_error": 0.001},
            ],
        }
        for place in range(100)
    ]
    found = Cohort.open(write(tmp_path / "cohort", rows, metadata())).constant_features().to_pylist()
    assert {row["feature"]: (row["finding"], row["beyond"], row["distinct_values"]) for row in found} == {
        "zero": ("zero", 0.0, None),
        "within": ("within_error", 0.0, None),
        "chance": ("by_chance", 0.04, None),
    }
