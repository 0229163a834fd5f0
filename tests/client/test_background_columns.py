"""A stored background belongs to all versions of a model, which may take their columns in another order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from client import file_models as models
from sequela_client import ModelOrBackgroundError, Sequela
from serving import Serving, embedded

NAMES = ("amount", "hour", "age")
HISTORY = pd.DataFrame([[1.0, 0.2, -0.5], [3.0, 0.4, -0.7]], columns=[*NAMES])
X = np.ones((4, 3))


@pytest.fixture(scope="module", params=["in process", pytest.param("in engines", marks=pytest.mark.slow)])
def sequela(request: pytest.FixtureRequest) -> Iterator[Sequela]:
    settings = {"upload_engines": 0} if request.param == "in process" else {}
    with Serving(embedded(**settings)) as running, Sequela(running.bound.grpc) as client:
        yield client


@pytest.fixture(scope="module")
def usual(sequela: Sequela, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of a model, with a background. Returns the folder of the others."""
    folder = tmp_path_factory.mktemp("versions")
    register(sequela, folder, 1, NAMES)
    sequela.average_background("usual", [HISTORY], model="fraud/1")
    return folder


def register(sequela: Sequela, folder: Path, version: int, names: tuple[str, ...]) -> None:
    """Registers a version that takes columns of these names; without names, `f0`, `f1`, and so on."""
    schema = models.features(*names) if names else None
    file = models.written(folder / str(version), models.weighted(3), schema)
    sequela.register_model(file, name=f"fraud/{version}")


def test_a_version_with_another_order_of_columns_is_refused(sequela: Sequela, usual: Path) -> None:
    """Each average would stand for another column, and the attributions would still add up."""
    register(sequela, usual, 2, ("age", "hour", "amount"))
    with pytest.raises(ModelOrBackgroundError) as caught:
        sequela.explain(X, model="fraud/2", background="usual")
    assert caught.value.reason == "BACKGROUND_DOES_NOT_FIT"
    assert "made for the columns amount, hour, age of input 'x'" in str(caught.value)
    assert "in another order: age, hour, amount" in str(caught.value)
    sequela.average_background("usual-2", [HISTORY], model="fraud/2")
    again = sequela.explain(X, model="fraud/2", background="usual-2")
    direct = HISTORY[["age", "hour", "amount"]].mean().to_numpy()
    assert again.base_value == sequela.explain(X, model="fraud/2", background=direct).base_value


@pytest.mark.parametrize(
    ("version", "names"), [(3, NAMES), (4, ("amount_eur", "hour", "age")), (5, ())], ids=str
)
def test_a_version_with_the_same_order_is_accepted(
    sequela: Sequela, usual: Path, version: int, names: tuple[str, ...]
) -> None:
    """Also if a column has a new name, or none has one."""
    register(sequela, usual, version, names)
    found = sequela.explain(X, model=f"fraud/{version}", background="usual")
    direct = sequela.explain(X, model=f"fraud/{version}", background=HISTORY.mean().to_numpy())
    assert found.base_value == direct.base_value
