"""A cohort of known rows, and the same rows as pandas frames, from which tests compute what a report should say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cohort.dataset import Cohort


@pytest.fixture(scope="session")
def known() -> list[dict[str, Any]]:
    """The rows."""
    return rows(400)


@pytest.fixture(scope="session")
def folder(known: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their files. The name of the folder looks like a pattern."""
    about = metadata(FEATURES, first_positive=0.5, model="fraud.onnx")
    return write(tmp_path_factory.mktemp("cohorts") / "run [1]*", known, about, part_rows=64)


@pytest.fixture(scope="session")
def cohort(folder: Path) -> Cohort:
    """The cohort."""
    return Cohort.open(folder)


@pytest.fixture(scope="session")
def frame(known: list[dict[str, Any]]) -> pd.DataFrame:
    """A row for each sequence, with its labels as columns."""
    return pd.DataFrame([{**row, **dict(row["labels"])} for row in known])


@pytest.fixture(scope="session")
def explained(frame: pd.DataFrame) -> pd.DataFrame:
    """The explained ones."""
    return frame[frame["status"] == "explained"].copy()


@pytest.fixture(scope="session")
def event_frame(explained: pd.DataFrame) -> pd.DataFrame:
    """A row for each event."""
    return players(explained, "events")


@pytest.fixture(scope="session")
def feature_frame(explained: pd.DataFrame) -> pd.DataFrame:
    """A row for each feature."""
    return players(explained, "features")


def players(frame: pd.DataFrame, level: str) -> pd.DataFrame:
    """A row for each player of a level."""
    return pd.DataFrame(
        [{"id": row["id"], **player} for row in frame.to_dict("records") for player in row[level]]
    )
