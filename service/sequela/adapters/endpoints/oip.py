"""The Open Inference Protocol's datatypes and metadata, whatever carries them.

Source: the protocol's specification, version 2 ("Tensor Data Types", "Model Metadata").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.failures import one_line
from sequela.adapters.model_io.signature import AxisSize, Content, InputSignature, OutputSignature
from sequela.errors import DoesNotFit
from sequela.explain.schema import Dtype

NUMPY_TYPES: Mapping[str, str] = {
    "BOOL": "bool",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("U", "") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}
"""Datatypes that hold numbers."""
DATATYPES: Mapping[str, str] = {numpy: name for name, numpy in NUMPY_TYPES.items()}
DTYPES: Mapping[str, Dtype] = {
    "FP16": Dtype.FLOAT32,  # cast on its way in
    "FP32": Dtype.FLOAT32,
    "FP64": Dtype.FLOAT64,
    "INT32": Dtype.INT32,
    "INT64": Dtype.INT64,
    "BOOL": Dtype.BOOL,
    # Cast as well; what they do not hold is refused.
    **dict.fromkeys(("INT8", "INT16", "UINT8", "UINT16"), Dtype.INT32),
    **dict.fromkeys(("UINT32", "UINT64"), Dtype.INT64),
}
"""Datatypes that an input may have."""
MOST_AXES = 8


class WrongAnswer(Exception):
    """An answer that is not one; the message says why, and may hold foreign words."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What metadata says of a tensor; a size below 1 is free."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def axes(self) -> tuple[AxisSize, ...]:
        """As signatures have them."""
        return tuple(size if size > 0 else None for size in self.shape)


def input_signatures(tensors: Iterable[Tensor]) -> tuple[InputSignature, ...]:
    """Raises DoesNotFit (MODEL_INPUT_UNSUPPORTED) for an input that is not a tensor of numbers with 1 to 8 axes."""
    return tuple(_input(tensor) for tensor in tensors)


def output_signatures(tensors: Iterable[Tensor]) -> tuple[OutputSignature, ...]:
    """Of all outputs, whatever they hold."""
    return tuple(
        OutputSignature(tensor.name, content(tensor.datatype), tensor.datatype, tensor.axes)
        for tensor in tensors
    )


def content(datatype: str) -> Content:
    """What a tensor of a datatype holds."""
    if datatype not in NUMPY_TYPES:
        return Content.NOT_NUMERIC if datatype else Content.UNKNOWN
    return Content.FLOATS if datatype.startswith("FP") else Content.WHOLE_NUMBERS


def output_index(held: Sequence[tuple[str, str]], output: str) -> int:
    """Which of an answer's outputs, each a name and a datatype, is meant; `output` empty: the only one, or the only
    one of floats. Raises WrongAnswer.
    """
    named = [index for index, (name, _) in enumerate(held) if output in ("", name)]
    floats = [index for index in named if content(held[index][1]) is Content.FLOATS]
    shown = ", ".join(f"{name!r} {datatype}" for name, datatype in held) or "none"
    if not named:
        wanted = f"output {output!r}" if output else "an output"
        raise WrongAnswer(f"{wanted} was asked for, and it has {shown}")
    if output or len(named) == 1:
        return named[0]
    if len(floats) != 1:
        raise WrongAnswer(f'it has several outputs, {shown}; say which one: "output" in a schema')
    return floats[0]


def checked_output(name: str, values: NDArray[Any], shape: tuple[int, ...], rows: int) -> NDArray[np.float64]:
    """Flat values in the shape that the answer gives them. Raises WrongAnswer."""
    if any(size < 0 for size in shape) or math.prod(shape) != len(values):
        raise WrongAnswer(f"output {name!r} has {len(values)} values for a shape of {_shown(shape)}")
    if not shape and rows == 1:  # a squeeze of all axes of 1 takes the batch's too
        shape = (1,)
    if not shape or shape[0] != rows:
        raise WrongAnswer(
            f"output {name!r} has shape {_shown(shape)} for {rows} rows; the batch is the first axis"
        )
    return values.astype(np.float64).reshape(shape)


def echo_problem(name: str, version: str, said_name: str, said_version: str) -> str:
    """What is wrong with the model that an answer says it is of; empty where nothing is, or it does not say."""
    if said_name and said_name != name:
        return f"it is of model {said_name!r}"
    if version and said_version and said_version != version:
        return f"version {version!r} was asked for, and it is of version {said_version!r}"
    return ""


def versions_problem(version: str, versions: Sequence[str]) -> str:
    """What is wrong with the versions that metadata lists, where one was asked for; empty: nothing."""
    if version and versions and version not in versions:
        return f"version {version!r} was asked for, and it has {', '.join(map(repr, versions))}"
    return ""


def _input(tensor: Tensor) -> InputSignature:
    if tensor.datatype not in DTYPES:
        text = f"input {tensor.name!r} holds {tensor.datatype}; inputs are tensors of {', '.join(DTYPES)}"
        raise DoesNotFit("MODEL_INPUT_UNSUPPORTED", one_line(text))
    if not 1 <= len(tensor.shape) <= MOST_AXES:
        text = (
            f"input {tensor.name!r} has {len(tensor.shape)} axes, must be from 1 (the batch) to {MOST_AXES}"
        )
        raise DoesNotFit("MODEL_INPUT_UNSUPPORTED", one_line(text))
    return InputSignature(tensor.name, DTYPES[tensor.datatype], NUMPY_TYPES[tensor.datatype], tensor.axes)


def _shown(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
