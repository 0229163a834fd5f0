"""Scores sequences as they are (what-if)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.errors import SequelaError
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.remote import Rows, Sender, row_bytes, row_digests
from sequela.explain.inputs.preparation import PreparedSequence, prepare_sequence
from sequela.explain.limits import Limits
from sequela.explain.ports import Model
from sequela.explain.request import GivenSequence, ScoreRequest
from sequela.explain.task import check_output_event
from sequela.timeshap.cells import Cells

Outputs = NDArray[np.float64]


def score_all(model: Model, request: ScoreRequest, limits: Limits, caller: ModelCaller) -> Outputs:
    """Raw outputs (sequences, outputs).

    Raises InvalidInput with the path of the sequence at fault and its number in the metadata (`row`), DeadlinePassed,
    Cancelled, and what `Model.run` raises.
    """
    fit = partial(_fitted, model, request, limits)
    sequences, output_event = request.sequences, request.output_event
    if model.endpoint:
        fitted = [fit(number, sequence) for number, sequence in enumerate(sequences)]
        return _Served(Sender(model, model.endpoint, caller), output_event).scores(fitted)

    def scored(number: int, sequence: GivenSequence) -> Outputs:
        caller.deadline.check()
        return _asked(model, fit(number, sequence), output_event, caller)

    jobs = (partial(scored, number, sequence) for number, sequence in enumerate(sequences))
    return np.concatenate(list(caller.share(jobs)))


def _fitted(
    model: Model, request: ScoreRequest, limits: Limits, number: int, sequence: GivenSequence
) -> PreparedSequence:
    schema = model.info.schema
    try:
        fitted = prepare_sequence(schema, model.info.fixed_length, sequence, limits)
    except SequelaError as error:
        error.metadata["row"] = str(number)
        raise
    path = request.paths.option("output_event")
    check_output_event(request.output_event, schema, fitted.cells.length, path)
    return fitted


def _asked(model: Model, fitted: PreparedSequence, output_event: int, caller: ModelCaller) -> Outputs:
    """Raw outputs (1, outputs) of one sequence."""

    def call(end: float) -> Outputs:
        return model.run(fitted.cells.as_batch(), fitted.frame, output_event, end)

    return caller.ask(1, fitted.cells.length, caller.deadline.end, call)


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """By an endpoint: sequences of one length and padding go in one call, equal ones once."""

    sender: Sender
    output_event: int

    def scores(self, sequences: Sequence[PreparedSequence]) -> Outputs:
        """Raw outputs (sequences, outputs)."""
        alike: dict[bytes, list[int]] = defaultdict(list)
        for number, fitted in enumerate(sequences):
            alike[_shape(fitted)].append(number)
        parts = [self._together([sequences[number] for number in numbers]) for numbers in alike.values()]
        order = np.argsort([number for numbers in alike.values() for number in numbers])
        return np.concatenate(parts)[order]

    def _together(self, sequences: Sequence[PreparedSequence]) -> Outputs:
        """Of sequences of one length and padding."""
        first = sequences[0]
        size = row_bytes(self.sender.model, first.cells, first.frame)
        digests = [row_digests(fitted.cells.as_batch())[0] for fitted in sequences]

        def build(rows: NDArray[np.intp]) -> Cells:
            return _stacked([sequences[row].cells for row in rows])

        return Rows(self.sender, first.frame, self.output_event, size).outputs(digests, build, math.inf)


def _stacked(cells: Sequence[Cells]) -> Cells:
    """Sequences of one length as a batch."""
    return Cells(
        tuple(map(np.stack, zip(*(each.events for each in cells), strict=True))),
        tuple(map(np.stack, zip(*(each.static for each in cells), strict=True))),
    )


def _shape(fitted: PreparedSequence) -> bytes:
    """What sequences of one call have in common: length and padding."""
    frame = (*fitted.frame.before, *fitted.frame.after)
    return repr((fitted.cells.length, [(array.shape, array.tobytes()) for array in frame])).encode()
