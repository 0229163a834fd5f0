"""Reads the outputs of an ONNX graph: what they hold, and which are final states of recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from sequela.adapters.model_io.signature import AxisSize, Content, OutputSignature
from sequela.adapters.onnx.element_types import ELEMENT_TYPES, element_name
from sequela.adapters.onnx.output_bounds import MOVE_OPERATORS
from sequela.adapters.onnx.recurrent_nodes import is_recurrent

QUANTISED_RECURRENT = "DynamicQuantizeLSTM"


def read_outputs(model: ModelProto) -> Iterator[OutputSignature]:
    """Yields all outputs in the model's order, whatever they hold."""
    producers = {name: node for node in model.graph.node for name in node.output}
    for value in model.graph.output:
        content, element = _content(value)
        final_state = _is_final_state(value.name, producers)
        yield OutputSignature(value.name, content, element, _axes(value), final_state)


def _content(value: ValueInfoProto) -> tuple[Content, str]:
    """Returns what an output holds, and its type as messages name it."""
    kind = value.type.WhichOneof("value")
    if kind is None:
        return Content.UNKNOWN, ""
    if kind != "tensor_type":
        # This is what ZipMap returns: a map from class to probability for each row.
        maps = kind == "sequence_type" and value.type.sequence_type.elem_type.HasField("map_type")
        return Content.NOT_NUMERIC, "list of maps" if maps else kind.removesuffix("_type")
    element = value.type.tensor_type.elem_type
    if element == TensorProto.UNDEFINED:
        return Content.UNKNOWN, ""
    known = ELEMENT_TYPES.get(element)
    return known.content if known else Content.NOT_NUMERIC, element_name(element)


def _axes(value: ValueInfoProto) -> tuple[AxisSize, ...] | None:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    return tuple(
        size.dim_value if size.dim_value > 0 else size.dim_param or None for size in tensor.shape.dim
    )


def _is_final_state(name: str, producers: Mapping[str, NodeProto]) -> bool:
    """Returns whether an output is a final state of a recurrent node, possibly moved or reshaped on its way out."""
    node = producers.get(name)
    # Follow the value back through the operators that only move it.
    while node is not None and not (is_recurrent(node) or node.op_type == QUANTISED_RECURRENT):
        if node.op_type not in MOVE_OPERATORS or not node.input:
            return False
        name = node.input[0]
        node = producers.get(name)
    # Output 0 of a recurrent node holds the steps of all events.
    return node is not None and list(node.output).index(name) > 0
