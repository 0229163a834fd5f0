"""Small models in which every column has a different weight, so that a misplaced column or row changes the score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from small_onnx import FLOAT, INT64, model, value


def weighted(width: int, kind: int = FLOAT) -> bytes:
    """Returns a model that depends on the order of columns and events: sigmoid(mean over events of (event · w) times
    its place).
    """
    weights = np.linspace(-0.3, 0.7, width, dtype=np.float32)[:, None]
    nodes = [
        helper.make_node("Cast", ["x"], ["floats"], to=FLOAT),
        helper.make_node("MatMul", ["floats", "w"], ["scored"]),
        helper.make_node("CumSum", ["scored", "axis"], ["summed"]),
        helper.make_node("Tanh", ["summed"], ["bent"]),
        helper.make_node("ReduceMean", ["bent"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sigmoid", ["mean"], ["score"]),
    ]
    held = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array(1, np.int64), "axis")]
    shown = [value("x", kind, ["n", "l", width])]
    return model(nodes, shown, [value("score", FLOAT, ["n"])], held)


def odd() -> bytes:
    """Returns a model that computes the share of odd ids, so that the last digit matters, however large the id is."""
    nodes = [
        helper.make_node("Mod", ["x", "two"], ["rest"]),
        helper.make_node("Cast", ["rest"], ["floats"], to=FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["score"], axes=[1, 2], keepdims=0),
    ]
    two = numpy_helper.from_array(np.array(2, np.int64), "two")
    return model(nodes, [value("x", INT64, ["n", "l", 1])], [value("score", FLOAT, ["n"])], [two])


def written(folder: Path, onnx_bytes: bytes, schema: Mapping[str, Any] | None = None) -> Path:
    """Writes a model with its schema to a new folder."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(onnx_bytes)
    if schema:
        (folder / "schema.json").write_text(json.dumps(schema))
    return folder / "model.onnx"


def features(*names: str) -> dict[str, Any]:
    """Returns a schema that names the columns of x in order."""
    return {"features": [{"name": name, "columns": {"x": [at]}} for at, name in enumerate(names)]}


def score(path: Path, x: NDArray[Any] | Sequence[Any]) -> float:
    """Scores one sequence with onnxruntime alone."""
    session = onnxruntime.InferenceSession(str(path))
    wanted = np.int64 if session.get_inputs()[0].type == "tensor(int64)" else np.float32
    answer = session.run(None, {session.get_inputs()[0].name: np.asarray(x, wanted)[None]})
    return float(np.ravel(answer[0])[0])


__all__ = ["FLOAT", "INT64", "features", "score", "weighted", "written"]
