"""An endpoint's answers: which output is meant, and its values as float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.oip.datatypes import DATATYPES
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.json_numbers import json_array
from sequela.oip.tensors import shown_shape


class WrongAnswer(Exception):
    """An answer that is not one; the message says why, and may hold foreign words."""


def output_index(held: Sequence[tuple[str, str]], output: str) -> int:
    """Which of an answer's outputs, each a name and a datatype, is meant; `output` empty: the only one, or the only
    one of floats. Raises WrongAnswer.
    """
    named = [index for index, (name, _) in enumerate(held) if output in ("", name)]
    floats = [index for index in named if _is_float(held[index][1])]
    shown = ", ".join(f"{name!r} {datatype}" for name, datatype in held) or "none"
    if not named:
        wanted = f"output {output!r}" if output else "an output"
        raise WrongAnswer(f"{wanted} was asked for, and it has {shown}")
    if output or len(named) == 1:
        return named[0]
    if len(floats) != 1:
        raise WrongAnswer(f'it has several outputs, {shown}; say which one: "output" in a schema')
    return floats[0]


def output_rows(name: str, values: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """An output's values (n, …) as float64. Raises WrongAnswer where they are not for n rows."""
    if not values.shape and rows == 1:  # a squeeze of all axes of 1 takes the batch's too
        values = values.reshape(1)
    if not values.shape or values.shape[0] != rows:
        text = f"has shape {shown_shape(values.shape)} for {rows} rows; the batch is the first axis"
        raise WrongAnswer(f"output {name!r} {text}")
    return values.astype(np.float64)


def json_floats(values: Any, what: str) -> NDArray[np.float64]:
    """Nested lists of numbers and booleans as the array they are; null, as many write NaN, is NaN.

    Raises WrongAnswer for anything else; `what` names it.
    """
    try:
        return json_array(values).astype(np.float64)
    except ValueError:
        raise WrongAnswer(f"{what} is not an array of numbers") from None


@contextmanager
def valid_tensor(name: str) -> Iterator[None]:
    """Raises WrongAnswer where a tensor breaks the protocol; `name` is the output's."""
    try:
        yield
    except InvalidTensor as error:
        raise WrongAnswer(f"output {name!r} {error.description}") from None


def _is_float(datatype: str) -> bool:
    return datatype in DATATYPES and DATATYPES[datatype].is_float
