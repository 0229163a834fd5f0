"""Converts outputs to tensors of numbers that numpy can hold.

A classifier that was converted with ZipMap returns a list of maps from class to probability. The tensor in front of the
ZipMap holds the same probabilities. Floats that numpy does not have are cast to float32, which holds each of them
exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import ModelProto, NodeProto, TensorProto, helper

from sequela.adapters.onnx.element_types import ELEMENT_TYPES
from sequela.adapters.onnx.subgraphs import rename_value
from sequela.adapters.onnx.value_names import fresh_names


def class_labels(model: ModelProto) -> Mapping[str, tuple[str, ...]]:
    """Returns the keys of the maps, in order, for each output that is a list of maps."""
    outputs = {value.name for value in model.graph.output}
    return {
        node.output[0]: tuple(_labels(node))
        for node in model.graph.node
        if _is_zip_map(node) and node.output[0] in outputs
    }


def with_plain_outputs(model: ModelProto) -> ModelProto:
    """Replaces outputs by tensors of numbers where that is possible. Returns the same model if nothing changes."""
    maps = class_labels(model)
    cast = [value.name for value in model.graph.output if _needs_cast(value.type.tensor_type.elem_type)]
    if not maps and not cast:
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    for name in cast:
        _cast(rewritten, name)
    for node in rewritten.graph.node:
        if _is_zip_map(node) and node.output[0] in maps:
            node.CopyFrom(helper.make_node("Identity", node.input, node.output, name=node.name))
    for value in rewritten.graph.output:
        if value.name in maps:
            # ZipMap takes float32 tensors only, so the type in front of it is known.
            value.type.Clear()
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return rewritten


def _needs_cast(element: int) -> bool:
    return element in ELEMENT_TYPES and ELEMENT_TYPES[element].needs_cast


def _is_zip_map(node: NodeProto) -> bool:
    return node.op_type == "ZipMap" and node.domain == "ai.onnx.ml"


def _labels(node: NodeProto) -> Iterator[str]:
    for item in node.attribute:
        yield from (str(number) for number in item.ints)
        yield from (text.decode(errors="replace") for text in item.strings)


def _cast(model: ModelProto, name: str) -> None:
    """Puts a cast to float32 in front of an output, in place."""
    # The cast takes over the name of the output, so that callers see no difference.
    uncast = fresh_names(model)(name)
    rename_value(model.graph, name, uncast)
    model.graph.node.append(helper.make_node("Cast", [uncast], [name], to=TensorProto.FLOAT))
    value = next(each for each in model.graph.output if each.name == name)
    value.type.tensor_type.elem_type = TensorProto.FLOAT
    # The recorded types of inner values may name the output; onnxruntime infers them anew.
    del model.graph.value_info[:]
