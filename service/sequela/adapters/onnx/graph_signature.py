"""What an ONNX graph says of its inputs and outputs: names, element types, axes."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto, TensorProto, ValueInfoProto

from sequela.adapters.model_io.signature import AxisSize, InputSignature, Signature
from sequela.adapters.onnx.graph_outputs import read_outputs
from sequela.errors import InvalidInput
from sequela.explain.schema import Dtype

ELEMENT_TYPES: Mapping[int, Dtype] = {
    TensorProto.FLOAT: Dtype.FLOAT32,
    TensorProto.FLOAT16: Dtype.FLOAT32,  # cast on its way in
    TensorProto.DOUBLE: Dtype.FLOAT64,
    TensorProto.INT32: Dtype.INT32,
    TensorProto.INT64: Dtype.INT64,
    TensorProto.BOOL: Dtype.BOOL,
    # Cast on their way in as well; what they do not hold is refused there.
    **dict.fromkeys(
        (TensorProto.INT8, TensorProto.INT16, TensorProto.UINT8, TensorProto.UINT16), Dtype.INT32
    ),
    **dict.fromkeys((TensorProto.UINT32, TensorProto.UINT64), Dtype.INT64),
}
NUMPY_TYPES: Mapping[int, str] = {
    element: TensorProto.DataType.Name(element).lower() for element in ELEMENT_TYPES
} | {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
MAX_AXES = 8
OTHER_KINDS: Mapping[str, str] = {
    "sequence_type": "a list of tensors (a Sequence of ONNX)",
    "map_type": "a dictionary (a Map of ONNX)",
    "optional_type": "an optional value (an Optional of ONNX)",
    "sparse_tensor_type": "a sparse tensor",
}


def read_signature(model: ModelProto, path: str) -> Signature:
    """The inputs that a caller must feed, and the outputs.

    Raises InvalidInput (MODEL_INPUT_UNSUPPORTED) for an input that is not a tensor of numbers.
    """
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_input(value, path) for value in model.graph.input if value.name not in initialized)
    if not inputs:
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", "takes no inputs")
    return Signature(inputs, tuple(read_outputs(model)))


def _input(value: ValueInfoProto, path: str) -> InputSignature:
    kind = value.type.WhichOneof("value") or "tensor_type"
    if kind != "tensor_type":
        text = (
            f"input {value.name!r} is {OTHER_KINDS.get(kind, kind)}; inputs are tensors: export the model with one for "
            "each part"
        )
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    tensor = value.type.tensor_type
    if tensor.elem_type not in ELEMENT_TYPES:
        names = ", ".join(sorted(TensorProto.DataType.Name(element).lower() for element in ELEMENT_TYPES))
        held = TensorProto.DataType.Name(tensor.elem_type).lower()
        text = (
            f"input {value.name!r} holds {held}; inputs are tensors of {names}: export the model with an input of "
            "one of "
            "these, which its first operator casts"
        )
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    if not tensor.HasField("shape"):
        text = f"input {value.name!r} does not say which axes it has; export the model with the shapes of its inputs"
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    axes = tuple(_axis(dimension.dim_value, dimension.dim_param) for dimension in tensor.shape.dim)
    if len(axes) > MAX_AXES:
        text = f"input {value.name!r} has {len(axes)} axes, the limit is {MAX_AXES}"
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    return InputSignature(value.name, ELEMENT_TYPES[tensor.elem_type], NUMPY_TYPES[tensor.elem_type], axes)


def _axis(size: int, name: str) -> AxisSize:
    """Exporters write a free axis as a name, as nothing, or as 0 or -1."""
    return size if size > 0 else name or None
