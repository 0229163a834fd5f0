"""Graphs around one GRU, written as text, for tests of running from states."""

from __future__ import annotations

import re

import numpy as np
import onnx.parser
from onnx import numpy_helper
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel

WIDTH, HIDDEN = 4, 6
GRU = """
    in_time = Transpose <perm = [1, 0, 2]> (events)
    y, y_h = GRU <hidden_size = 6> (in_time, W, R)
    steps_in_time = Squeeze (y, one)
    steps = Transpose <perm = [1, 0, 2]> (steps_in_time)
    last = Gather <axis = 1> (steps, newest)
"""
COUNT = """
    shape = Shape (events)
    count = Gather <axis = 0> (shape, scalar_one)
"""
CONSTANTS = {
    "c63": np.array([0, 0, 2, 3]),
    "six_again": np.array([0, 0, 6]),
    "idx": np.array([0, 2, 1, 5, 4, 3]),
    "cut5": np.array([5]),
    "splits": np.array([2, 4]),
    "pad1": np.array([0, 0, 0, 0, 0, 1]),
    "six": np.array([6]),
    "three1": np.array([3]),
    "one": np.array([1]),
    "two": np.array([2]),
    "zero": np.array([0]),
    "minus": np.array([-1]),
    "lowest": np.array([-(2**62)]),
    "half": np.array(0.5, np.float32),
    "scalar_three": np.array(3),
    "newest_one": np.array([-1]),
    "scalar_zero": np.array(0),
    "scalar_one": np.array(1),
    "newest": np.array(-1),
    "flat6": np.array([-1, 6]),
    "beside": np.array([0, 0, 1, 0, 0, 0]),
    "off_on": np.array([0.0, 1.0], np.float32),
    "big": np.array([2**62]),
    "three": np.array([3]),
    "four": np.array(4),
    "scalar_two": np.array(2),
    "ahead": np.array([1, 0, 0, 0, 0, 0]),
}
WEIGHTS = {
    "sq6": (6, 6),
    "point6": (6, 6, 1),
    "wide6": (6, 6, 3),
    "W": (1, 18, WIDTH),
    "R": (1, 18, HIDDEN),
    "W6": (1, 18, HIDDEN),
    "V": (1, 18, 8),
    "square": (4, 4),
    "out": (6, 3),
    "wide": (6, 4, 3),
    "point": (6, 4, 1),
    "scale": (6,),
    "square46": (4, 6),
}


def model_of(body: str, length: int | str = "l") -> OnnxModel:
    """Loads a model whose body computes `score` (n, k) or (n, l, k) from events (n, l, 4). `profile` (n, 4) is a static
    input. A number as `length` fixes the number of events.
    """
    inputs = f"float[n, {length}, 4] events" + (", float[n, 4] profile" if "profile" in body else "")
    text = f'<ir_version: 8, opset_import: ["": 17]> g ({inputs}) => (float score) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.Clear()
    used = set(re.findall(r"\w+", body))
    rng = np.random.default_rng(0)
    drawn = {name: (0.7 * rng.normal(size=shape)).astype(np.float32) for name, shape in WEIGHTS.items()}
    drawn["positive"] = np.abs(drawn["scale"])
    model.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in {**CONSTANTS, **drawn}.items() if name in used
    )
    return Loader().load("m", ModelBytes(model.SerializeToString(), b"", "onnx", "schema"))
