"""Makes random models from a seed: orders of axes, element types, several inputs, fixed and free axes, opsets.

A `Spec` describes a model, `build` makes its ONNX file, `feed` makes its inputs from one sequence, and `schema` is the
schema that a caller would write. Outputs are in `generated_heads`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from field.generated_heads import HEADS, Head, add_head
from field.graph_builder import Graph
from numpy.typing import NDArray
from onnx import TensorProto

Arrays = Mapping[str, NDArray[Any]]
HIDDEN = 4
VOCABULARY = 7
BATCH, TIME, FEATURES = "batch", "time", "features"
ORDERS = ((BATCH, TIME, FEATURES), (BATCH, FEATURES, TIME), (TIME, BATCH, FEATURES))
TYPES: Mapping[str, int] = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}
NAMES = {
    "clear": {BATCH: "batch", TIME: "time"},
    "letters": {BATCH: "n", TIME: "l"},
    "exporter": {BATCH: "{name}_dynamic_axes_1", TIME: "{name}_dynamic_axes_2"},
    "none": {BATCH: None, TIME: None},
}


@dataclass(frozen=True)
class Events:
    """An input of events. `kind` is the kind of its values; ids are looked up in a table."""

    name: str
    dtype: str
    width: int
    order: tuple[str, ...]

    @property
    def has_ids(self) -> bool:
        return self.dtype in ("int32", "int64")

    @property
    def known_dtype(self) -> str:
        """The element type, as it is written in a schema."""
        return "float32" if self.dtype == "float16" else self.dtype


@dataclass(frozen=True)
class Spec:
    """The description of a model. `length` and `rows` are None if the axis is free. `core` is the kind of layer that
    runs over time.
    """

    events: tuple[Events, ...]
    static: int
    state: bool
    core: str
    head: Head
    names: str
    length: int | None
    rows: int | None
    opset: int
    seed: int

    def __str__(self) -> str:
        orders = "+".join("".join(word[0] for word in item.order) + ":" + item.dtype for item in self.events)
        fixed = f"l={self.length or 'free'} n={self.rows or 'free'}"
        extra = f"{' static' if self.static else ''}{' state' if self.state else ''}"
        made = f"{self.core} {orders}{extra} -> {self.head.name}"
        return f"{self.seed}: {made}, {self.names}, {fixed}, opset {self.opset}"

    @property
    def order(self) -> tuple[str, ...]:
        return self.events[0].order

    def axes(self, item: Events) -> list[int | str | None]:
        """Returns the axes of an input as the graph declares them."""
        names = NAMES[self.names]

        def free(word: str) -> str | None:
            name = names[word]
            return name.format(name=item.name) if name else None

        sizes: dict[str, int | str | None] = {
            BATCH: self.rows or free(BATCH),
            TIME: self.length or free(TIME),
            FEATURES: item.width,
        }
        return [sizes[word] for word in item.order]

    def schema(self) -> dict[str, Any]:
        """Returns what a caller could say about the inputs, and what the file does not say about the output."""
        inputs: list[dict[str, Any]] = [
            {
                "name": item.name,
                "role": "events",
                "dtype": item.known_dtype,
                "width": item.width,
                "axes": list(item.order),
            }
            for item in self.events
        ]
        if self.static:
            inputs.append({"name": "profile", "role": "static", "dtype": "float32", "width": self.static})
        if self.state:
            inputs.append({"name": "h0", "role": "state", "dtype": "float32"})
        return {"inputs": inputs, **self.head.schema}


def random_spec(seed: int) -> Spec:
    """Returns a random description, which is the same for the same seed."""
    rng = np.random.default_rng([7, seed])

    def one(choices: Sequence[Any]) -> Any:
        return choices[int(rng.integers(len(choices)))]

    order = one(ORDERS)
    core = one(("pool", "recurrent", "convolution") if order != ORDERS[2] else ("pool", "recurrent"))
    dtypes = ("float32", "float32", "float64", "float16", "bool", "int64")
    count = int(rng.integers(1, 3))
    dtype = [one(dtypes) for _ in range(count)]
    events = tuple(
        Events(
            ("x", "more")[place],
            dtype[place],
            1 if dtype[place] == "int64" else int(rng.integers(2, 4)),
            order,
        )
        for place in range(count)
    )
    return Spec(
        events,
        static=one((0, 0, 3)),
        state=core == "recurrent" and one((True, False)),
        core=core,
        head=one(HEADS),
        names=one(list(NAMES)),
        length=one((None, None, 5)),
        rows=one((None, None, None, 1)),
        opset=one((11, 13, 17, 19)),
        seed=seed,
    )


def build(spec: Spec) -> bytes:
    """Makes the ONNX file. The weights follow from the seed."""
    graph = Graph(spec.opset, np.random.default_rng([8, spec.seed]))
    for item in spec.events:
        graph.add_input(item.name, TYPES[item.dtype], spec.axes(item))
    batch = spec.rows or (NAMES[spec.names][BATCH] or "rows").format(name="x")
    if spec.static:
        graph.add_input("profile", TensorProto.FLOAT, [batch, spec.static])
    if spec.state:
        graph.add_input("h0", TensorProto.FLOAT, [1, batch, HIDDEN])
    steps_are_kept = spec.head.per_event
    parts = [_over_time(graph, spec, item, steps_are_kept) for item in spec.events]
    merged = graph.sum(parts)
    if spec.static:
        static = graph.linear("profile", spec.static, HIDDEN)
        if steps_are_kept:
            static = graph.unsqueezed(static, 0 if spec.order[0] == TIME else 1)
        merged = graph.sum([merged, static])
    add_head(graph, spec.head, graph.node("Tanh", [merged]), HIDDEN, time_first=spec.order[0] == TIME)
    content: bytes = graph.finished().SerializeToString()
    onnx.checker.check_model(content)
    return content


def _over_time(graph: Graph, spec: Spec, item: Events, steps: bool) -> str:
    """Returns (n, HIDDEN), or with steps (n, l, HIDDEN), which is (l, n, HIDDEN) for a time-first model."""
    values = (
        graph.node("Cast", [item.name], to=TensorProto.FLOAT) if not item.has_ids else _looked_up(graph, item)
    )
    width = HIDDEN if item.has_ids else item.width
    order = list(item.order)
    if item.has_ids:  # the look-up gives (…, 1, HIDDEN), from which the axis of length one is removed
        values = graph.squeezed(values, order.index(FEATURES))
        order = [word for word in order if word != FEATURES] + [FEATURES]
    usual = [TIME, BATCH, FEATURES] if spec.order[0] == TIME else [BATCH, TIME, FEATURES]
    if spec.core == "convolution":
        values = graph.transposed(values, [order.index(word) for word in (BATCH, FEATURES, TIME)])
        values = graph.convolved(values, width, HIDDEN)
        values = graph.transposed(values, [0, 2, 1])
    elif spec.core == "recurrent":
        values = graph.transposed(values, [order.index(word) for word in (TIME, BATCH, FEATURES)])
        values = graph.recurrent(values, width, HIDDEN, "h0" if spec.state else "")
        if usual[0] == BATCH:
            values = graph.transposed(values, [1, 0, 2])
    else:
        values = graph.transposed(values, [order.index(word) for word in usual])
        values = graph.node("Tanh", [graph.linear(values, width, HIDDEN)])
    if steps:
        return values
    if spec.core == "recurrent":
        return graph.last(values, usual.index(TIME))
    return graph.mean(values, usual.index(TIME))


def _looked_up(graph: Graph, item: Events) -> str:
    return graph.node("Gather", [graph.weights(VOCABULARY, HIDDEN), item.name])


def sequence(spec: Spec, length: int, seed: int) -> dict[str, NDArray[Any]]:
    """Returns values without a batch axis; events are (l, width) in the server's order."""
    rng = np.random.default_rng([9, seed])
    found: dict[str, NDArray[Any]] = {}
    for item in spec.events:
        shape = (length, item.width)
        if item.has_ids:
            found[item.name] = rng.integers(0, VOCABULARY, shape).astype(item.dtype)
        elif item.dtype == "bool":
            found[item.name] = rng.integers(0, 2, shape).astype(bool)
        else:
            # Values that float16 can represent, so that no step rounds them differently.
            found[item.name] = np.round(rng.normal(size=shape) * 64).astype(item.known_dtype) / 64
    if spec.static:
        found["profile"] = rng.normal(size=spec.static).astype(np.float32)
    return found


def feed(spec: Spec, row: Arrays) -> dict[str, NDArray[Any]]:
    """Returns one sequence in the layout of the model."""
    fed: dict[str, NDArray[Any]] = {}
    for item in spec.events:
        places = {BATCH: 0, TIME: 1, FEATURES: 2}
        turned = row[item.name][None].transpose([places[word] for word in item.order])
        fed[item.name] = np.ascontiguousarray(turned, dtype=item.dtype)
    if spec.static:
        fed["profile"] = row["profile"][None].astype(np.float32)
    if spec.state:
        fed["h0"] = np.zeros((1, 1, HIDDEN), np.float32)
    return fed
