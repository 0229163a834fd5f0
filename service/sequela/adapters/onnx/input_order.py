"""Puts nodes in front of a graph so that it takes inputs in the server's order of axes, and needs no states.

The server works with (batch, time, columns). A graph that wants another order gets a Reshape and a Transpose behind
each such input; initial states are filled in by nodes as well. Behind these nodes the graph is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from sequela.adapters.model_io.arrangement import Arrangement, arrange
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.schema_entries import entry
from sequela.adapters.model_io.signature import AxisSize, InputSignature, Signature
from sequela.adapters.model_io.states import state_axes
from sequela.adapters.onnx.element_types import is_float
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS
from sequela.adapters.onnx.subgraphs import rename_value
from sequela.adapters.onnx.value_names import FreshName, fresh_names
from sequela.errors import InvalidInput
from sequela.explain.schema import InputSchema, Role

AXES_ARE_INPUTS = 13
"""The opset from which on Unsqueeze takes its axes as an input."""


def to_server_order(
    model: ModelProto,
    inputs: Sequence[InputSchema],
    signature: Signature,
    uses: Mapping[str, InputUse],
    path: str,
) -> ModelProto:
    """Returns the model with inputs in the server's order and without states, or the same model if nothing changes.

    Args:
        model: The model with its own order of axes.
        inputs: The inputs as the schema describes them.
        signature: The model's signature, with its own order of axes.
        uses: How the graph uses its inputs, from which sizes of states may follow.
        path: The path of the schema in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT for a state whose size is unknown.
    """
    by_name = {item.name: item for item in inputs}
    arranged = {seen.name: arrange(by_name[seen.name], seen) for seen in signature.inputs}
    changed = {name: both for name, both in arranged.items() if not both[0].is_server_order}
    states = [seen for seen in signature.inputs if by_name[seen.name].role is Role.STATE]
    if not (changed or states):
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    fresh = fresh_names(rewritten)
    front: list[NodeProto] = []
    for name, (arrangement, server_input) in changed.items():
        # The graph's nodes read the rearranged value under a new name, so that callers can keep the input's name.
        inside = fresh(f"{name}/in_the_models_order")
        rename_value(rewritten.graph, name, inside)
        front += _to_model_order(name, inside, arrangement, fresh, rewritten.graph)
        _input(rewritten.graph, name).CopyFrom(_value_info(server_input, _input(rewritten.graph, name)))
    # Any input with a batch axis would do, and every model has events.
    rows_from = next(item.name for item in inputs if item.role is Role.EVENTS)
    for seen in states:
        item, use = by_name[seen.name], uses.get(seen.name)
        batch, sizes = state_axes(item, seen, use)
        _check_state_sizes(item, seen, batch, sizes, path)
        front += _filled_state(item, batch, sizes, rows_from, fresh, rewritten.graph)
    kept = [item for item in rewritten.graph.input if item.name not in {seen.name for seen in states}]
    # ONNX requires topological order, so the nodes that make inputs come first.
    nodes = [*front, *rewritten.graph.node]
    del rewritten.graph.node[:], rewritten.graph.input[:]
    rewritten.graph.node.extend(nodes)
    rewritten.graph.input.extend(kept)
    return rewritten


def transpose_output(model: ModelProto, output: str, order: Sequence[int]) -> ModelProto:
    """Transposes an output of the model so that the batch is its first axis and events are its second."""
    return _append_to_output(
        model, output, lambda inside: helper.make_node("Transpose", [inside], [output], perm=list(order))
    )


def add_batch_axis(model: ModelProto, output: str) -> ModelProto:
    """Adds a batch axis of size 1 to the output of a model that has none."""
    opset = max((item.version for item in model.opset_import if item.domain in STANDARD_DOMAINS), default=1)

    def unsqueeze(inside: str) -> NodeProto:
        if opset < AXES_ARE_INPUTS:
            return helper.make_node("Unsqueeze", [inside], [output], axes=[0])
        return helper.make_node("Unsqueeze", [inside, f"{output}/first_axis"], [output])

    rewritten = _append_to_output(model, output, unsqueeze)
    _constant(f"{output}/first_axis", [0], rewritten.graph)
    return rewritten


def _append_to_output(model: ModelProto, output: str, make_node: Callable[[str], NodeProto]) -> ModelProto:
    """Adds a node behind an output of the model. The output keeps its name."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    inside = fresh_names(rewritten)(f"{output}/in_the_models_order")
    rename_value(rewritten.graph, output, inside)
    node = make_node(inside)
    node.name = f"{output}/turned"
    rewritten.graph.node.append(node)
    value = next(value for value in rewritten.graph.output if value.name == output)
    # The recorded shape has the old order of axes. onnxruntime infers the new one.
    value.type.tensor_type.ClearField("shape")
    return rewritten


def _to_model_order(
    source: str, target: str, arrangement: Arrangement, fresh: FreshName, graph: GraphProto
) -> Iterator[NodeProto]:
    """Yields the nodes that convert an input from the server's order to the model's."""
    columns, order = arrangement.columns, arrangement.order
    sizes = [size for size in columns if isinstance(size, int)]
    if len(columns) > 1 or arrangement.lacks_batch_axis:
        # In a Reshape, 0 keeps an axis and -1 takes what is left: here the batch of 1 together with time.
        outer = [0] * (len(order) - len(columns))
        if arrangement.lacks_batch_axis:
            outer[:1] = [-1] if outer else []
        shape = _constant(fresh(f"{source}/shape"), outer + sizes, graph)
        split = fresh(f"{source}/split")
        yield helper.make_node("Reshape", [source, shape], [split], name=split)
        source = split
    yield helper.make_node("Transpose", [source], [target], name=target, perm=list(order))


def _check_state_sizes(
    item: InputSchema, seen: InputSignature, batch: int | None, sizes: Sequence[AxisSize], path: str
) -> None:
    if all(isinstance(size, int) or axis == batch for axis, size in enumerate(sizes)):
        return
    example = entry(replace(item, shape=(1,) * (seen.rank - 2) + (64,)))
    text = f"input {seen.name!r} {seen.description} is an initial state of unknown size: add the sizes of all its "
    text += f'axes but the batch to the schema as "shape", for example {example}'
    raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)


def _filled_state(
    item: InputSchema,
    batch: int | None,
    sizes: Sequence[AxisSize],
    rows_from: str,
    fresh: FreshName,
    graph: GraphProto,
) -> Iterator[NodeProto]:
    """Yields the nodes that fill a state with its initial value, for as many rows as the input `rows_from` has."""
    element = _input(graph, item.name).type.tensor_type.elem_type
    # `make_tensor` does not convert floats to integer types.
    initial = item.initial if is_float(element) else int(item.initial)
    value = helper.make_tensor(fresh(f"{item.name}/initial"), element, [1], [initial])
    fixed = [size for size in sizes if isinstance(size, int)]
    if batch is None or isinstance(sizes[batch], int):
        shape = _constant(fresh(f"{item.name}/shape"), fixed, graph)
    else:
        # Only the number of rows is unknown until the model runs, so it is read from another input.
        shape = fresh(f"{item.name}/shape")
        parts = []
        for axis, size in enumerate(sizes):
            if axis == batch:
                parts.append(fresh(f"{item.name}/rows"))
                yield from _row_count(rows_from, parts[-1], fresh, graph)
            else:
                assert isinstance(size, int)
                parts.append(_constant(fresh(f"{item.name}/size"), [size], graph))
        yield helper.make_node("Concat", parts, [shape], name=shape, axis=0)
    yield helper.make_node("ConstantOfShape", [shape], [item.name], name=f"{item.name}/filled", value=value)


def _row_count(source: str, target: str, fresh: FreshName, graph: GraphProto) -> Iterator[NodeProto]:
    shape, first = fresh(f"{target}/of"), _constant(fresh(f"{target}/first"), [0], graph)
    yield helper.make_node("Shape", [source], [shape], name=shape)
    yield helper.make_node("Gather", [shape, first], [target], name=target, axis=0)


def _constant(name: str, values: Sequence[int], graph: GraphProto) -> str:
    """Adds an initializer to the graph and returns its name."""
    graph.initializer.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
    return name


def _input(graph: GraphProto, name: str) -> ValueInfoProto:
    return next(item for item in graph.input if item.name == name)


def _value_info(server_input: InputSignature, old: ValueInfoProto) -> ValueInfoProto:
    element = old.type.tensor_type.elem_type
    return helper.make_tensor_value_info(server_input.name, element, list(server_input.axes))
