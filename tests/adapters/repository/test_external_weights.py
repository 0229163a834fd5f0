"""Models of the repository whose weights lie beside them: put in, or refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from adapters.repository.replicas import repository
from matrix import BY_NAME
from sequela.adapters.onnx.loader import Loader
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import PaddingRows
from sequela.explain.request import InlineModel, NamedModel
from sequela.timeshap.cells import Cells
from weights_beside import GRU, WRONG, put_beside


def test_weights_beside_the_file(tmp_path: Path) -> None:
    """The same scores as the model in one piece."""
    path = tmp_path / "m" / "1" / "model.onnx"
    put_beside(path)
    shutil.copytree(GRU.path.parent, tmp_path / "whole" / "1")
    models = repository(tmp_path)
    cells = Cells((GRU.sample(4)["events"][None],))
    padding = PaddingRows((np.empty((0, 5), np.float32),), (np.empty((0, 5), np.float32),))
    found, wanted = (models.resolve(NamedModel(name)).run(cells, padding, 0) for name in ("m", "whole"))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", WRONG)
def test_weights_that_must_not_be_read(tmp_path: Path, name: str) -> None:
    """The model fails with the reason; the others are loaded."""
    path = tmp_path / "m" / "1" / "model.onnx"
    put_beside(path)
    spoil, words = WRONG[name]
    spoil(path)
    with pytest.raises(DoesNotFit, match=rf"m/1/model.onnx: .*{words}.*external_data=False"):
        repository(tmp_path).resolve(NamedModel("m"))


def test_the_limit_holds_for_all_of_it(tmp_path: Path) -> None:
    """Weights count, before they are read."""
    path = tmp_path / "m" / "1" / "model.onnx"
    put_beside(path, BY_NAME["lstm"].path.read_bytes())
    limits = Limits(max_model_bytes=path.stat().st_size + 10)
    with pytest.raises(DoesNotFit, match="bytes with its weights exceed the limit of"):
        repository(tmp_path, loader=Loader(limits)).resolve(NamedModel("m"))


def test_weights_are_not_sent_along(tmp_path: Path) -> None:
    """A message holds one file: one that names another is refused, with the ways out."""
    path = tmp_path / "model.onnx"
    put_beside(path)
    with pytest.raises(
        InvalidInput, match=r"'model.onnx.data', which is not part of the request.*external_data=False"
    ) as caught:
        repository().resolve(InlineModel(path.read_bytes()))
    assert caught.value.reason == "MODEL_EXTERNAL_DATA"
