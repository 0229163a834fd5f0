"""What an ONNX graph says of its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from sequela.adapters.model_io.signature import AxisSize, Content, OutputSignature
from sequela.adapters.onnx.output_bounds import MOVE_OPERATORS
from sequela.adapters.onnx.recurrent_nodes import is_recurrent

QUANTISED = "DynamicQuantizeLSTM"
FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})
WHOLE_NUMBERS = frozenset(
    {
        *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
        *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64, TensorProto.BOOL),
    }
)
"""Element types whose numbers float64 holds as they are, but for integers past 2⁵³."""


def read_outputs(model: ModelProto) -> Iterator[OutputSignature]:
    """All of them, whatever they hold, in the model's order."""
    producers = {name: node for node in model.graph.node for name in node.output}
    for value in model.graph.output:
        content, element = _content(value)
        yield OutputSignature(
            value.name, content, element, _axes(value), _is_final_state(value.name, producers)
        )


def _content(value: ValueInfoProto) -> tuple[Content, str]:
    kind = value.type.WhichOneof("value")
    if kind is None:
        return Content.UNKNOWN, ""
    if kind != "tensor_type":
        maps = kind == "sequence_type" and value.type.sequence_type.elem_type.HasField("map_type")
        return Content.NOT_NUMERIC, "list of maps" if maps else kind.removesuffix("_type")
    element = value.type.tensor_type.elem_type
    if element == TensorProto.UNDEFINED:
        return Content.UNKNOWN, ""
    name = TensorProto.DataType.Name(element).lower()
    if element in FLOATS:
        return Content.FLOATS, name
    return (Content.WHOLE_NUMBERS if element in WHOLE_NUMBERS else Content.NOT_NUMERIC), name


def _axes(value: ValueInfoProto) -> tuple[AxisSize, ...] | None:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    return tuple(
        size.dim_value if size.dim_value > 0 else size.dim_param or None for size in tensor.shape.dim
    )


def _is_final_state(name: str, producers: Mapping[str, NodeProto]) -> bool:
    """Whether it is what a recurrent node ends with, but for moves."""
    node = producers.get(name)
    while node is not None and not (is_recurrent(node) or node.op_type == QUANTISED):
        if node.op_type not in MOVE_OPERATORS or not node.input:
            return False
        name = node.input[0]
        node = producers.get(name)
    return node is not None and list(node.output).index(name) > 0
