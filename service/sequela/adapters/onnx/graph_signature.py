"""Reads a model's signature from its ONNX graph: names, element types and axes of inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto, TypeProto, ValueInfoProto

from sequela.adapters.model_io.signature import AxisSize, InputSignature, Signature
from sequela.adapters.onnx.element_types import ELEMENT_TYPES, element_name
from sequela.adapters.onnx.graph_outputs import read_outputs
from sequela.errors import InvalidInput
from sequela.explain.schema import Dtype

MAX_AXES = 8
OTHER_KINDS: Mapping[str, str] = {
    "sequence_type": "a list of tensors (an ONNX Sequence)",
    "map_type": "a dictionary (an ONNX Map)",
    "optional_type": "an optional value (an ONNX Optional)",
    "sparse_tensor_type": "a sparse tensor",
}
REASON = "MODEL_INPUT_UNSUPPORTED"


def read_signature(model: ModelProto, path: str) -> Signature:
    """Reads the inputs that a caller must feed (those without an initializer), and the outputs.

    Args:
        model: The model, with tensors of numbers as outputs.
        path: The field of the request that holds the model, for errors.

    Raises:
        InvalidInput: MODEL_INPUT_UNSUPPORTED for an input that is not a tensor of numbers with known axes.
    """
    # Before IR version 4, files had to list initializers among the inputs as well.
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_input(value, path) for value in model.graph.input if value.name not in initialized)
    if not inputs:
        raise InvalidInput.at(path, REASON, "the model takes no inputs, so there is nothing to explain")
    return Signature(inputs, tuple(read_outputs(model)))


def _input(value: ValueInfoProto, path: str) -> InputSignature:
    kind = value.type.WhichOneof("value") or "tensor_type"
    if kind != "tensor_type":
        text = f"input {value.name!r} is {OTHER_KINDS.get(kind, kind)}, but inputs must be tensors: "
        text += "export the model with one tensor input for each part"
        raise InvalidInput.at(path, REASON, text)
    tensor = value.type.tensor_type
    dtype = _dtype(value.name, tensor, path)
    if not tensor.HasField("shape"):
        text = f"input {value.name!r} has no shape: export the model with the shapes of its inputs"
        raise InvalidInput.at(path, REASON, text)
    axes = tuple(_axis(dimension.dim_value, dimension.dim_param) for dimension in tensor.shape.dim)
    if len(axes) > MAX_AXES:
        text = f"input {value.name!r} has {len(axes)} axes, but the limit is {MAX_AXES}"
        raise InvalidInput.at(path, REASON, text)
    return InputSignature(value.name, dtype, ELEMENT_TYPES[tensor.elem_type].numpy, axes)


def _dtype(name: str, tensor: TypeProto.Tensor, path: str) -> Dtype:
    known = ELEMENT_TYPES.get(tensor.elem_type)
    if known is None or known.dtype is None:
        allowed = ", ".join(sorted(element_name(item) for item, kind in ELEMENT_TYPES.items() if kind.dtype))
        text = (
            f"input {name!r} has elements of type {element_name(tensor.elem_type)}, supported are {allowed}: "
        )
        text += "export the model with an input of one of these types and a Cast behind it"
        raise InvalidInput.at(path, REASON, text)
    return known.dtype


def _axis(size: int, name: str) -> AxisSize:
    """Returns the size or the name of an axis. Exporters write a free axis as a name, as nothing, or as 0 or -1."""
    return size if size > 0 else name or None
