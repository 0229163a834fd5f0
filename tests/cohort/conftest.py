"""A toy model of two features whose score depends on every value and on the order of the events."""

from pathlib import Path

import numpy as np
import pytest
from client import file_models
from cohort.cohorts import FEW
from sequela_client.cohort import BulkQuestion


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The file of the model."""
    return file_models.written(
        tmp_path / "toy", file_models.weighted(2), file_models.features("amount", "hour")
    )


@pytest.fixture
def events_question(model: Path) -> BulkQuestion:
    """A question about a table of events."""
    return BulkQuestion(
        str(model), np.zeros(2), options=FEW, entity="account", time="when", labels=("fraud",)
    )


@pytest.fixture
def rows_question(model: Path) -> BulkQuestion:
    """A question about a table of sequences."""
    return BulkQuestion(str(model), np.zeros(2), options=FEW, id="account", time="when", labels=("fraud",))
