"""The threshold of a cohort: what the operator set for its model, by whichever of its names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from console.cohort_files import write_cohort
from sequela_client.alert_document.model_name import model_words
from sequela_client.alert_document.threshold import alert_threshold
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.cohorts.description import description_of, threshold_of


@pytest.mark.parametrize("name", ["models/payments", "payments", ""])
@pytest.mark.parametrize("threshold", [0.0, 0.85])
def test_a_cohort_has_the_threshold_that_its_alerts_have(
    catalogue: CohortCatalogue, name: str, threshold: float
) -> None:
    """Also 0, which is a threshold of log-odds."""
    cohort, settings = catalogue.cohort("payments"), {name: threshold}
    assert threshold_of(cohort, settings) == {"value": threshold, "source": "setting"}
    assert description_of(cohort, settings)["suggested"]["threshold"] == threshold
    assert alert_threshold({}, "models/payments", True, settings).value == threshold


@pytest.mark.parametrize(
    ("model", "settings", "value"),
    [
        ("models/m/versions/3", {"m": 0.1, "": 0.9}, 0.1),
        ("models/m/versions/3", {"m": 0.1, "m/3": 0.2}, 0.2),
        ("models/m/versions/3", {"3": 0.1, "": 0.9}, 0.9),
        ("models/m/versions/{checkpoint}", {"models/m": 0.1}, 0.1),
        ("/data/fraud.onnx", {"fraud.onnx": 0.1}, 0.1),
    ],
)
def test_names_of_models(model: str, settings: Mapping[str, float], value: float) -> None:
    """The version alone is no name of a model, and the most exact name counts."""
    assert alert_threshold({}, model, True, settings).value == value


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("models/m/versions/3", "m, version 3"),
        ("models/m/versions/{checkpoint}", "m"),
        ("models/m", "m"),
        ("/data/fraud.onnx", "fraud.onnx"),
        ("", ""),
    ],
)
def test_words_for_models(model: str, words: str) -> None:
    """What a card shows."""
    assert model_words(model) == words


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> CohortCatalogue:
    folder: Path = write_cohort(tmp_path_factory.mktemp("thresholds") / "payments", 30)
    return CohortCatalogue({"payments": folder})
