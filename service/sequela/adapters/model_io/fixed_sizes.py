"""Reads and limits the sizes that a model's inputs fix: sequences in a call, events in a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.schema import InputSchema, Role

MAX_CALL_CELLS = 1 << 26
"""The most numbers that the smallest possible call of a model with fixed sizes may hold: 512 MB in float64."""


@dataclass(frozen=True, slots=True)
class FixedSizes:
    """The number of sequences in every call and of events in every sequence; None if any number is taken."""

    batch: int | None
    length: int | None


def read_sizes(inputs: Sequence[InputSchema], signature: Signature, limits: Limits, path: str) -> FixedSizes:
    """Reads the sizes from the signature.

    Args:
        inputs: The inputs as the schema describes them.
        signature: The inputs as the model has them, in the server's order of axes.
        limits: The server's limits.
        path: The field of the request to which errors refer.

    Raises:
        InvalidInput: MODEL_INPUT_UNSUPPORTED if inputs disagree; MODEL_TOO_LARGE beyond the limits.
    """
    over_time = {item.name for item in inputs if item.role in (Role.EVENTS, Role.MASK)}
    # The batch of a state is not always its first axis.
    states = {item.name for item in inputs if item.role is Role.STATE}
    batch = _common("sequences", [item for item in signature.inputs if item.name not in states], 0, path)
    length = _common("events", [item for item in signature.inputs if item.name in over_time], 1, path)
    if (length or 0) > limits.max_events:
        text = f"the model takes {length} events in every call, but the limit is {limits.max_events} (--max-events)"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    cells = (batch or 1) * (length or 1) * sum(item.width for item in inputs if item.role is not Role.STATE)
    if cells > MAX_CALL_CELLS:
        text = f"the model takes {cells} numbers in every call, but the limit is {MAX_CALL_CELLS}; "
        text += "export it with a smaller batch or fewer events, or with free axes"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)
    return FixedSizes(batch, length)


def _common(what: str, inputs: Sequence[InputSignature], axis: int, path: str) -> int | None:
    sizes = {size for item in inputs if isinstance(size := item.axes[axis], int)}
    if len(sizes) > 1:
        found = ", ".join(f"{item.name} {item.description}" for item in inputs)
        text = f"the model's inputs fix different numbers of {what}: {found}. Export it with one number for all of them"
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    return sizes.pop() if sizes else None
