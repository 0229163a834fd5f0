"""The graph with its inputs in the server's own order: sequences first, then events, then columns; and without states.

What the model wants otherwise, nodes in front of it make. Behind them the graph is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from sequela.adapters.model_io.arrangement import Arrangement, arrange
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.schema_entries import entry
from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.adapters.model_io.states import state_axes
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS
from sequela.adapters.onnx.value_names import FreshName, fresh_names
from sequela.errors import InvalidInput
from sequela.explain.schema import InputSchema, Role

AXES_ARE_INPUTS = 13
"""The opset from which on Unsqueeze is told its axes by an input."""


def to_server_order(
    model: ModelProto,
    inputs: Sequence[InputSchema],
    signature: Signature,
    uses: Mapping[str, InputUse],
    path: str,
) -> ModelProto:
    """The model itself where it needs no such nodes. `signature` has the model's own axes.

    Raises InvalidInput (SCHEMA_DOES_NOT_FIT) for a state whose size is not known.
    """
    known = {item.name: item for item in inputs}
    turned = {}
    for seen in signature.inputs:
        arrangement, usual = arrange(known[seen.name], seen)
        if not arrangement.is_server_order:
            turned[seen.name] = (arrangement, usual)
    states = [seen for seen in signature.inputs if known[seen.name].role is Role.STATE]
    if not (turned or states):
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    fresh = fresh_names(rewritten)
    front: list[NodeProto] = []
    for name, (arrangement, usual) in turned.items():
        inside = fresh(f"{name}/in_the_models_order")
        _rename(rewritten.graph, name, inside)
        front += _turning(name, inside, arrangement, fresh, rewritten.graph)
        _input(rewritten.graph, name).CopyFrom(_value(usual, _input(rewritten.graph, name)))
    rows = next(item.name for item in inputs if item.role is Role.EVENTS)
    for seen in states:
        front += _state(known[seen.name], seen, uses.get(seen.name), rows, fresh, rewritten.graph, path)
    kept = [item for item in rewritten.graph.input if item.name not in {seen.name for seen in states}]
    nodes = [*front, *rewritten.graph.node]
    del rewritten.graph.node[:], rewritten.graph.input[:]
    rewritten.graph.node.extend(nodes)
    rewritten.graph.input.extend(kept)
    return rewritten


def transpose_output(model: ModelProto, output: str, order: Sequence[int]) -> ModelProto:
    """The model with the axes of an output in this order, so that steps for events come behind the batch."""
    return _behind(
        model, output, lambda inside: helper.make_node("Transpose", [inside], [output], perm=list(order))
    )


def add_batch_axis(model: ModelProto, output: str) -> ModelProto:
    """The model with an axis for sequences in front of its output, which has none."""
    opset = max((item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS), default=1)

    def add(inside: str) -> NodeProto:
        if opset < AXES_ARE_INPUTS:
            return helper.make_node("Unsqueeze", [inside], [output], axes=[0])
        return helper.make_node("Unsqueeze", [inside, f"{output}/first_axis"], [output])

    rewritten = _behind(model, output, add)
    _constant(f"{output}/first_axis", [0], rewritten.graph)
    return rewritten


def _behind(model: ModelProto, output: str, node: Callable[[str], NodeProto]) -> ModelProto:
    """The model with a node behind an output, which keeps its name."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    inside = fresh_names(rewritten)(f"{output}/in_the_models_order")
    for each in rewritten.graph.node:
        for place, name in enumerate(each.output):
            if name == output:
                each.output[place] = inside
    _rename(rewritten.graph, output, inside)
    added = node(inside)
    added.name = f"{output}/turned"
    rewritten.graph.node.append(added)
    next(value for value in rewritten.graph.output if value.name == output).type.tensor_type.ClearField(
        "shape"
    )
    return rewritten


def _turning(
    source: str, target: str, arrangement: Arrangement, fresh: FreshName, graph: GraphProto
) -> Iterator[NodeProto]:
    """From the server's order into the model's."""
    columns, order = arrangement.columns, arrangement.order
    sizes = [size for size in columns if isinstance(size, int)]
    if len(columns) > 1 or arrangement.lacks_batch_axis:
        outer = [0] * (len(order) - len(columns))
        if arrangement.lacks_batch_axis:
            outer[:1] = [-1] if outer else []
        shape = _constant(fresh(f"{source}/shape"), outer + sizes, graph)
        split = fresh(f"{source}/split")
        yield helper.make_node("Reshape", [source, shape], [split], name=split)
        source = split
    yield helper.make_node("Transpose", [source], [target], name=target, perm=list(order))


def _state(
    item: InputSchema,
    seen: InputSignature,
    use: InputUse | None,
    rows: str,
    fresh: FreshName,
    graph: GraphProto,
    path: str,
) -> Iterator[NodeProto]:
    """As many rows as the events have, all filled with what the state begins with."""
    batch, sizes = state_axes(item, seen, use)
    unknown = [place for place, size in enumerate(sizes) if not isinstance(size, int) and place != batch]
    if unknown:
        text = (
            f"input {seen.name!r} {seen.description} is a state of unknown size; say in the schema the sizes of all its "
            "axes but "
            f"the batch: {entry(replace(item, shape=(1,) * (seen.rank - 2) + (64,)))}"
        )
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    element = _input(graph, seen.name).type.tensor_type.elem_type
    filled = helper.make_tensor(fresh(f"{seen.name}/initial"), element, [1], [_cast(item.initial, element)])
    if batch is None or isinstance(sizes[batch], int):
        shape = _constant(
            fresh(f"{seen.name}/shape"), [int(size) for size in sizes if isinstance(size, int)], graph
        )
    else:
        shape = fresh(f"{seen.name}/shape")
        parts = []
        for place, size in enumerate(sizes):
            if place == batch:
                parts.append(fresh(f"{seen.name}/rows"))
                yield from _row_count(rows, parts[-1], fresh, graph)
            else:
                assert isinstance(size, int)
                parts.append(_constant(fresh(f"{seen.name}/size"), [size], graph))
        yield helper.make_node("Concat", parts, [shape], name=shape, axis=0)
    yield helper.make_node("ConstantOfShape", [shape], [seen.name], name=f"{seen.name}/filled", value=filled)


def _row_count(source: str, target: str, fresh: FreshName, graph: GraphProto) -> Iterator[NodeProto]:
    whole, first = fresh(f"{target}/of"), _constant(fresh(f"{target}/first"), [0], graph)
    yield helper.make_node("Shape", [source], [whole], name=whole)
    yield helper.make_node("Gather", [whole, first], [target], name=target, axis=0)


def _constant(name: str, values: Sequence[int], graph: GraphProto) -> str:
    graph.initializer.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
    return name


def _cast(value: float, element: int) -> float | int:
    whole = element not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
    return int(value) if whole else value


def _rename(graph: GraphProto, old: str, new: str) -> None:
    """Everywhere that nodes read it, in graphs within nodes too."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
        for attribute in node.attribute:
            for inside in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
                _rename(inside, old, new)
                for value in inside.output:
                    if value.name == old:
                        value.name = new


def _input(graph: GraphProto, name: str) -> ValueInfoProto:
    return next(item for item in graph.input if item.name == name)


def _value(usual: InputSignature, old: ValueInfoProto) -> ValueInfoProto:
    return helper.make_tensor_value_info(usual.name, old.type.tensor_type.elem_type, list(usual.axes))
