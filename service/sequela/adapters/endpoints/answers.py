"""Finds the score among the outputs in an endpoint's answer, and converts its values to float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.oip.datatypes import DATATYPES
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.json_numbers import json_array
from sequela.oip.tensors import format_shape


class WrongAnswer(Exception):
    """An answer that cannot be used. The message says why, and may contain text from the server."""


def output_index(outputs: Sequence[tuple[str, str]], output: str) -> int:
    """Chooses an output of an answer.

    Args:
        outputs: Name and datatype of every output.
        output: The name of the one to choose; empty for the only output, or the only one of floats.

    Returns:
        Its index in `outputs`.

    Raises:
        WrongAnswer: There is no such output, or there are several and none was named.
    """
    # Without a name, every output is a candidate.
    named = [index for index, (name, _) in enumerate(outputs) if output in ("", name)]
    floats = [index for index in named if _is_float(outputs[index][1])]
    shown = ", ".join(f"{name!r} {datatype}" for name, datatype in outputs) or "none"
    if not named:
        wanted = f"output {output!r}" if output else "an output"
        raise WrongAnswer(f"{wanted} was requested, but the answer has {shown}")
    if output or len(named) == 1:  # if two have the name, it is the first
        return named[0]
    # Labels and strings that are returned next to the score are never the score.
    if len(floats) != 1:
        raise WrongAnswer(
            f'the answer has several outputs, {shown}; name the one that is the score with "output" in a schema'
        )
    return floats[0]


def output_rows(name: str, values: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """Returns an output's values as float64.

    Args:
        name: The output's name.
        values: Its values (n, …); a scalar is taken for one row.
        rows: The number of rows n that were sent.

    Raises:
        WrongAnswer: The first axis does not have n rows.
    """
    if not values.shape and rows == 1:  # a model that squeezes all axes of size 1 squeezes the batch's too
        values = values.reshape(1)
    if not values.shape or values.shape[0] != rows:
        text = f"has the shape {format_shape(values.shape)} for {rows} rows; its first axis must be the batch"
        raise WrongAnswer(f"output {name!r} {text}")
    return values.astype(np.float64)


def json_floats(values: Any, subject: str) -> NDArray[np.float64]:
    """Converts nested lists of numbers and booleans to an array. Null becomes NaN, as many servers write it.

    Raises:
        WrongAnswer: The values are anything else. The message begins with `subject`, the name of the values.
    """
    try:
        return json_array(values).astype(np.float64)
    except ValueError:
        raise WrongAnswer(f"{subject} is not an array of numbers") from None


@contextmanager
def valid_tensor(name: str) -> Iterator[None]:
    """Raises WrongAnswer for an InvalidTensor; `name` is the output's."""
    try:
        yield
    except InvalidTensor as error:
        raise WrongAnswer(f"output {name!r} {error.description}") from None


def _is_float(datatype: str) -> bool:
    return datatype in DATATYPES and DATATYPES[datatype].is_float
