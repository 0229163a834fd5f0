"""Builds ONNX graphs node by node, in any opset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

AXES_ARE_INPUTS = 13
REDUCTIONS_TAKE_INPUTS = 18


class Graph:
    """Names are numbered, and weights come from a random generator."""

    def __init__(self, opset: int, rng: np.random.Generator) -> None:
        self.opset, self.rng = opset, rng
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []

    def add_input(self, name: str, kind: int, axes: Sequence[int | str | None]) -> None:
        self._inputs.append(helper.make_tensor_value_info(name, kind, list(axes)))

    def add_output(self, name: str, kind: int, axes: Sequence[int | str | None]) -> None:
        self._outputs.append(helper.make_tensor_value_info(name, kind, list(axes)))

    def node(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        name = output or f"value{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, list(inputs), [name], name=f"node{len(self._nodes)}", **attributes)
        )
        return name

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape: int) -> str:
        return self.constant((self.rng.normal(size=shape) * 0.7).astype(np.float32))

    def linear(self, values: str, width: int, hidden: int) -> str:
        """Adds a linear layer along the last axis."""
        product = self.node("MatMul", [values, self.weights(width, hidden)])
        return self.node("Add", [product, self.weights(hidden)])

    def sum(self, values: Sequence[str]) -> str:
        total = values[0]
        for value in values[1:]:
            total = self.node("Add", [total, value])
        return total

    def transposed(self, values: str, order: Sequence[int]) -> str:
        if list(order) == list(range(len(order))):
            return values
        return self.node("Transpose", [values], perm=list(order))

    def unsqueezed(self, values: str, axis: int) -> str:
        return self._with_axes("Unsqueeze", values, axis)

    def squeezed(self, values: str, axis: int) -> str:
        return self._with_axes("Squeeze", values, axis)

    def mean(self, values: str, axis: int) -> str:
        if self.opset < REDUCTIONS_TAKE_INPUTS:
            return self.node("ReduceMean", [values], axes=[axis], keepdims=0)
        return self.node("ReduceMean", [values, self.constant(np.array([axis]))], keepdims=0)

    def last(self, values: str, axis: int) -> str:
        return self.node("Gather", [values, self.constant(np.array(-1))], axis=axis)

    def convolved(self, values: str, width: int, hidden: int) -> str:
        """Adds a convolution, (n, width, l) to (n, hidden, l)."""
        return self.node(
            "Conv",
            [values, self.weights(hidden, width, 3), self.weights(hidden)],
            kernel_shape=[3],
            pads=[1, 1],
        )

    def recurrent(self, values: str, width: int, hidden: int, state: str) -> str:
        """Adds a recurrent layer, (l, n, width) to (l, n, hidden)."""
        inputs = [
            values,
            self.weights(1, 3 * hidden, width),
            self.weights(1, 3 * hidden, hidden),
            self.weights(1, 6 * hidden),
        ]
        inputs += ["", state] if state else []
        return self.squeezed(self.node("GRU", inputs, hidden_size=hidden), 1)

    def finished(self) -> ModelProto:
        graph = helper.make_graph(self._nodes, "generated", self._inputs, self._outputs, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def _with_axes(self, operator: str, values: str, axis: int) -> str:
        if self.opset < AXES_ARE_INPUTS:
            return self.node(operator, [values], axes=[axis])
        return self.node(operator, [values, self.constant(np.array([axis]))])
