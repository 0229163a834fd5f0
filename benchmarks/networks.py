"""The models of the cases, built node by node from a seed, so that no training framework is needed.

Weights are random, except for the head: it points from the mean state of ordinary histories to the mean state of
alerts, as that of a trained model would. It is scaled so that these two score `-LOGIT` and `LOGIT` before the
sigmoid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 9
LOGIT = 3.0

Float32s: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float64]
Trunk: TypeAlias = "Callable[[Graph, int, np.random.Generator], str]"
"""Adds nodes from `x` to a state (n, h), and names it."""


class Graph:
    """Collects the nodes and weights of a model. Every result gets a unique name."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def weight(self, values: npt.ArrayLike, dtype: type = np.float32) -> str:
        """Adds a constant."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Adds a node and returns the name of its last output. The other outputs have no names."""
        name = f"{operator}{len(self.nodes)}"
        named = [*[""] * (outputs - 1), name]
        self.nodes.append(helper.make_node(operator, list(inputs), named, **attributes))
        return name

    def dense(self, source: str, weights: Floats) -> str:
        """Adds a linear layer over the last axis with weights (in, out). It has no bias, because the inputs are
        centred.
        """
        return self.add("MatMul", source, self.weight(weights))

    def model(self, width: int, output: str, columns: int | str) -> onnx.ModelProto:
        """Returns the model of all nodes, from `x` (n, l, width) to the output (n, columns)."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "l", width])
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", columns])
        graph = helper.make_graph(self.nodes, "benchmark", [x], [y], self.weights)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


@dataclass(frozen=True, slots=True)
class Gru:
    """One GRU layer, read from its final state. `keep` is the bias of the update gates; a larger one makes the memory
    longer.
    """

    hidden: int = 64
    keep: float = 0.0

    def __call__(self, graph: Graph, width: int, rng: np.random.Generator) -> str:
        """Adds the layers and returns the final state."""
        h = self.hidden
        bias = np.zeros((1, 6 * h))
        bias[:, :h] = self.keep
        steps = graph.add("Transpose", "x", perm=[1, 0, 2])
        weights = [
            graph.weight(rng.normal(size=(1, 3 * h, width)) / np.sqrt(width)),
            graph.weight(0.7 * rng.normal(size=(1, 3 * h, h)) / np.sqrt(h)),
            graph.weight(bias),
        ]
        state = graph.add("GRU", steps, *weights, outputs=2, hidden_size=h, linear_before_reset=1)
        return graph.add("Squeeze", state, graph.weight([0], np.int64))


@dataclass(frozen=True, slots=True)
class Transformer:
    """Pre-norm attention layers, read from the last event. Attention decreases with distance (ALiBi: Press et al.
    2022, §3).
    """

    layers: int = 2
    hidden: int = 64
    heads: int = 4

    def __call__(self, graph: Graph, width: int, rng: np.random.Generator) -> str:
        """Adds the layers and returns the last event."""
        d = self.hidden
        state = graph.dense("x", _dense(rng, width, d))
        distance = self._distance(graph)
        for _ in range(self.layers):
            attended = self._attention(graph, self._norm(graph, state), distance, rng)
            state = graph.add("Add", state, attended)
            inner = graph.add("Relu", graph.dense(self._norm(graph, state), _dense(rng, d, 4 * d)))
            state = graph.add("Add", state, graph.dense(inner, _dense(rng, 4 * d, d)))
        return graph.add("Gather", self._norm(graph, state), graph.weight(-1, np.int64), axis=1)

    def _norm(self, graph: Graph, source: str) -> str:
        return graph.add("LayerNormalization", source, graph.weight(np.ones(self.hidden)))

    def _distance(self, graph: Graph) -> str:
        """Returns how much distance reduces the attention of each head, (heads, l, l)."""
        length = graph.add("Squeeze", graph.add("Shape", "x", start=1, end=2))
        zero, one = graph.weight(0, np.int64), graph.weight(1, np.int64)
        places = graph.add("Cast", graph.add("Range", zero, length, one), to=TensorProto.FLOAT)
        rows = graph.add("Unsqueeze", places, graph.weight([1], np.int64))
        apart = graph.add("Abs", graph.add("Sub", rows, places))
        slopes = -(2.0 ** -np.arange(1, self.heads + 1))
        return graph.add("Mul", graph.weight(slopes[:, np.newaxis, np.newaxis]), apart)

    def _attention(self, graph: Graph, source: str, distance: str, rng: np.random.Generator) -> str:
        d, each = self.hidden, self.hidden // self.heads
        split = graph.weight([0, 0, self.heads, each], np.int64)
        queries, keys, values = (
            graph.add("Reshape", graph.dense(source, _dense(rng, d, d)), split) for _ in range(3)
        )
        queries = graph.add("Transpose", queries, perm=[0, 2, 1, 3])
        likeness = graph.add("MatMul", queries, graph.add("Transpose", keys, perm=[0, 2, 3, 1]))
        scaled = graph.add("Div", likeness, graph.weight(np.sqrt(each)))
        shares = graph.add("Softmax", graph.add("Add", scaled, distance), axis=-1)
        mixed = graph.add("MatMul", shares, graph.add("Transpose", values, perm=[0, 2, 1, 3]))
        merged = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
        flat = graph.add("Reshape", merged, graph.weight([0, 0, d], np.int64))
        return graph.dense(flat, _dense(rng, d, d))


@dataclass(frozen=True, slots=True)
class Convolution:
    """Convolution layers of increasing dilation, read from the mean over all events and from the last event."""

    layers: int = 3
    hidden: int = 64
    kernel: int = 3

    def __call__(self, graph: Graph, width: int, rng: np.random.Generator) -> str:
        """Adds the layers and returns the mean and the last event, concatenated."""
        state, channels = graph.add("Transpose", "x", perm=[0, 2, 1]), width
        for layer in range(self.layers):
            dilation = 2**layer
            pad = dilation * (self.kernel - 1) // 2
            weights = rng.normal(size=(self.hidden, channels, self.kernel)) / np.sqrt(channels * self.kernel)
            folded = graph.add(
                "Conv",
                state,
                graph.weight(weights),
                dilations=[dilation],
                pads=[pad, pad],
                kernel_shape=[self.kernel],
            )
            state, channels = graph.add("Tanh", folded), self.hidden
        mean = graph.add("ReduceMean", state, graph.weight([2], np.int64), keepdims=0)
        last = graph.add("Gather", state, graph.weight(-1, np.int64), axis=2)
        return graph.add("Concat", mean, last, axis=1)


def write(path: Path, trunk: Trunk, ordinary: Float32s, alerts: Float32s, seed: int) -> None:
    """Writes a model, (n, l, d) to `score` (n, 1), that tells alerts from ordinary histories, both (k, l, d)."""
    graph, width = Graph(), ordinary.shape[-1]
    state = trunk(graph, width, np.random.default_rng(seed))
    session = ort.InferenceSession(graph.model(width, state, "h").SerializeToString())
    low, high = (session.run(None, {"x": x})[0].mean(axis=0, dtype=np.float64) for x in (ordinary, alerts))
    way = high - low
    way *= 2 * LOGIT / (way @ way)
    offset = graph.weight([-way @ (high + low) / 2])
    logit = graph.add("Add", graph.dense(state, way[:, np.newaxis]), offset)
    graph.nodes.append(helper.make_node("Sigmoid", [logit], ["score"]))
    model = graph.model(width, "score", 1)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _dense(rng: np.random.Generator, inputs: int, outputs: int) -> Floats:
    return rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
