"""Raw values sent to a model whose schema says how it standardises them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from client import file_models as models
from sequela_client import Sequela

SCALES = {"amount": (4.0, 1.0), "age": (40.0, 12.0), "flag": (0.2, 0.4)}
RAW = pd.DataFrame({"amount": [100.0, 30, 250, 80], "age": [35.0, 35, 35, 36], "flag": [0.0, 1, 0, 0]})


@pytest.fixture(scope="module")
def reasons(real: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Any], dict[str, str]]]:
    """An explanation's warnings by reason."""
    features = [
        {"name": name, "columns": {"x": [at]}, "display": {"mean": mean, "scale": scale}}
        for at, (name, (mean, scale)) in enumerate(SCALES.items())
    ]
    features[0]["display"]["transform"] = "log1p"  # type: ignore[index]
    path = models.written(
        tmp_path_factory.mktemp("raw") / "scaled", models.weighted(3), {"features": features}
    )
    with Sequela(real, timeout=30) as sequela:

        def ask(sequence: Any) -> dict[str, str]:
            answer = sequela.explain(sequence, model=path, background=np.zeros(3))
            return {each.reason: each.message for each in answer.warnings}

        yield ask


def standardised(raw: pd.DataFrame) -> pd.DataFrame:
    columns = {name: (raw[name] - mean) / scale for name, (mean, scale) in SCALES.items()}
    return pd.DataFrame(columns | {"amount": np.log1p(raw["amount"]) - 4.0})


def test_raw_values_are_noticed(reasons: Callable[[Any], dict[str, str]]) -> None:
    """The columns are named, and how far the last value lies; one raw column among scaled ones is enough."""
    told = reasons(RAW)["VALUES_NOT_STANDARDISED"]
    assert told.startswith("The values of amount, age look raw")
    assert "80, the last amount, is 80 standard deviations from the mean" in told
    assert (
        "values of age look raw"
        in reasons(standardised(RAW).assign(age=RAW["age"]))["VALUES_NOT_STANDARDISED"]
    )


def test_standardised_values_are_not(reasons: Callable[[Any], dict[str, str]]) -> None:
    """Neither ordinary ones, nor an outlier, nor a column that is far both ways, such as a sentinel of -999."""
    scaled = standardised(RAW)
    outlier = scaled.assign(age=[0.1, 0.2, 40.0, 0.1])
    sentinel = scaled.assign(age=-999.0)
    for sent in (scaled, outlier, sentinel):
        assert "VALUES_NOT_STANDARDISED" not in reasons(sent)
