"""The sizes on which the cost of a request depends, as far as they are known before the request is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sequela.explain.options import Level
from sequela.explain.request import ExplainRequest, GivenSequence, ScoreRequest


@dataclass(frozen=True, slots=True)
class ExplainShape:
    """The size of a request for an explanation.

    Attributes:
        events: The number of events of the sequence.
        columns: The number of columns of all inputs together.
        levels: The number of levels; 0 if only the score is asked for.
        max_coalitions: The budget of a level in coalitions; None for the default.
        target_error: The target of the standard errors; None for the default.
    """

    events: int
    columns: int
    levels: int = len(Level)
    max_coalitions: int | None = None
    target_error: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreShape:
    """The size of a request for scores: the number of values of all sequences together."""

    values: int


RequestShape = ExplainShape | ScoreShape


def shape_of(request: ExplainRequest | ScoreRequest) -> RequestShape:
    """Returns the shape of a request that has been decoded."""
    match request:
        case ScoreRequest():
            return ScoreShape(sum(map(_values, request.sequences)))
        case ExplainRequest():
            options = request.options
            events, columns = sequence_size(each.array.shape for each in request.sequence.inputs)
            return ExplainShape(
                events, columns, len(options.levels), options.max_coalitions, options.target_standard_error
            )


def sequence_size(shapes: Iterable[Sequence[int]]) -> tuple[int, int]:
    """Returns the number of events and of columns of a sequence, from the shapes of its inputs.

    Nobody has checked the shapes yet, so each number is at least 1.
    """
    events, columns = 1, 0
    for shape in shapes:
        if len(shape) > 1:
            events = max(events, shape[0])
        columns += max(shape[-1], 1) if len(shape) > 1 else 1
    return events, max(columns, 1)


def _values(sequence: GivenSequence) -> int:
    return sum(each.array.size for each in sequence.inputs)
