"""Converts a server's metadata to the signature of its model."""

from __future__ import annotations

from collections.abc import Iterable

from sequela.adapters.endpoints.failures import one_line
from sequela.adapters.endpoints.transport import Description
from sequela.adapters.model_io.signature import AxisSize, Content, InputSignature, OutputSignature
from sequela.errors import DoesNotFit
from sequela.oip.datatypes import DATATYPES
from sequela.oip.metadata import ModelMetadata, TensorMetadata

MAX_AXES = 8
"""The most axes of an input, the batch included."""


def description(metadata: ModelMetadata) -> Description:
    """Converts metadata to a description, without the largest batch, which metadata does not contain.

    Raises:
        DoesNotFit: MODEL_INPUT_UNSUPPORTED for an input that is not a tensor of numbers with 1 to 8 axes.
    """
    inputs, outputs = input_signatures(metadata.inputs), output_signatures(metadata.outputs)
    return Description(inputs, outputs, metadata.versions, metadata.platform)


def input_signatures(tensors: Iterable[TensorMetadata]) -> tuple[InputSignature, ...]:
    """Converts the metadata of inputs. Raises DoesNotFit as `description`."""
    return tuple(_input(tensor) for tensor in tensors)


def output_signatures(tensors: Iterable[TensorMetadata]) -> tuple[OutputSignature, ...]:
    """Converts the metadata of all outputs, including those that do not hold numbers."""
    return tuple(
        OutputSignature(tensor.name, _content(tensor.datatype), tensor.datatype, _axes(tensor))
        for tensor in tensors
    )


def _content(datatype: str) -> Content:
    if datatype not in DATATYPES:
        return Content.NOT_NUMERIC if datatype else Content.UNKNOWN
    return Content.FLOATS if DATATYPES[datatype].is_float else Content.WHOLE_NUMBERS


def _input(tensor: TensorMetadata) -> InputSignature:
    if tensor.datatype not in DATATYPES:
        text = f"has {tensor.datatype or 'no datatype'}, but only {', '.join(DATATYPES)} are supported"
        raise _unsupported_error(tensor, text)
    if not 1 <= len(tensor.shape) <= MAX_AXES:
        text = f"has {len(tensor.shape)} axes, but must have between 1 (the batch) and {MAX_AXES}"
        raise _unsupported_error(tensor, text)
    datatype = DATATYPES[tensor.datatype]
    return InputSignature(tensor.name, datatype.input_dtype, datatype.dtype.name, _axes(tensor))


def _unsupported_error(tensor: TensorMetadata, problem: str) -> DoesNotFit:
    return DoesNotFit("MODEL_INPUT_UNSUPPORTED", one_line(f"input {tensor.name!r} {problem}"))


def _axes(tensor: TensorMetadata) -> tuple[AxisSize, ...]:
    return tuple(size if size > 0 else None for size in tensor.shape)
