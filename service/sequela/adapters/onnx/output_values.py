"""Outputs that do not leave onnxruntime as tensors of numbers, as ones that do.

A classifier converted with ZipMap gives a list of maps from class to probability: the tensor behind it says the same.
Floats that numpy does not have are cast to float32, which holds each of them exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from sequela.adapters.onnx.value_names import fresh_names

CAST_TYPES = frozenset(
    {
        TensorProto.BFLOAT16,
        TensorProto.FLOAT8E4M3FN,
        TensorProto.FLOAT8E4M3FNUZ,
        TensorProto.FLOAT8E5M2,
        TensorProto.FLOAT8E5M2FNUZ,
    }
)
"""Element types that numpy does not have; onnxruntime hands some of them out as the bytes that they are."""


def class_labels(model: ModelProto) -> Mapping[str, tuple[str, ...]]:
    """Of each output that is a list of maps: what its maps' keys are, in order."""
    outputs = {value.name for value in model.graph.output}
    return {
        node.output[0]: tuple(_labels(node))
        for node in model.graph.node
        if _is_zip_map(node) and node.output[0] in outputs
    }


def with_plain_outputs(model: ModelProto) -> ModelProto:
    """The model with tensors of numbers as outputs, where that can be had; the same model where nothing is to do."""
    maps = class_labels(model)
    cast = [value.name for value in model.graph.output if value.type.tensor_type.elem_type in CAST_TYPES]
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
            value.type.Clear()
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return rewritten


def _is_zip_map(node: NodeProto) -> bool:
    return node.op_type == "ZipMap" and node.domain == "ai.onnx.ml"


def _labels(node: NodeProto) -> Iterator[str]:
    for item in node.attribute:
        yield from (str(number) for number in item.ints)
        yield from (text.decode(errors="replace") for text in item.strings)


def _cast(model: ModelProto, name: str) -> None:
    """Puts a cast to float32 in front of an output."""
    inner = fresh_names(model)(name)
    _rename([model.graph], name, inner)
    model.graph.node.append(helper.make_node("Cast", [inner], [name], to=TensorProto.FLOAT))
    value = next(each for each in model.graph.output if each.name == name)
    value.type.tensor_type.elem_type = TensorProto.FLOAT
    # What is said of values within holds no longer, and onnxruntime works it out itself.
    del model.graph.value_info[:]


def _rename(graphs: Iterable[GraphProto], old: str, new: str) -> None:
    """In nodes, and in the graphs inside them; the outputs of the outermost graph keep their names."""
    for graph in graphs:
        for node in graph.node:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == old:
                        names[place] = new
            for attribute in node.attribute:
                inside = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
                _rename(inside, old, new)
                for each in inside:
                    for value in each.output:
                        value.name = new if value.name == old else value.name
