"""Scores sequences as they are, without explaining them (what-if)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.errors import SequelaError
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.remote import RemoteScorer, row_digests
from sequela.explain.inputs.preparation import PreparedSequence, prepare_sequence
from sequela.explain.limits import Limits
from sequela.explain.ports import LocalModel, Model, RemoteModel
from sequela.explain.request import GivenSequence, ScoreRequest
from sequela.explain.task import check_output_event
from sequela.timeshap.cells import Cells

Outputs = NDArray[np.float64]


def score_all(model: Model, request: ScoreRequest, limits: Limits, caller: ModelCaller) -> Outputs:
    """Scores n sequences.

    Returns:
        Raw outputs (n, outputs).

    Raises:
        InvalidInput: A sequence does not fit the model. The error has its path, and its index as the metadata `row`.
        DeadlinePassed: The deadline passed before all sequences were scored.
        Cancelled: The caller cancelled the request.
        SequelaError: As `LocalModel.run` or `RemoteEndpoint.score_batches` raises.
    """
    prepare = partial(_prepare, model, request, limits)
    sequences, output_event = request.sequences, request.output_event
    if isinstance(model, RemoteModel):
        prepared = [prepare(number, sequence) for number, sequence in enumerate(sequences)]
        return _score_remotely(model, prepared, output_event, caller)
    score = partial(_score_one, model, output_event, caller)

    def job(number: int, sequence: GivenSequence) -> Outputs:
        caller.deadline.check()
        return score(prepare(number, sequence))

    jobs = (partial(job, number, sequence) for number, sequence in enumerate(sequences))
    return np.concatenate(list(caller.run_jobs(jobs)))


def _prepare(
    model: Model, request: ScoreRequest, limits: Limits, number: int, sequence: GivenSequence
) -> PreparedSequence:
    schema = model.info.schema
    try:
        prepared = prepare_sequence(schema, model.info.fixed_length, sequence, limits)
    except SequelaError as error:
        # Protocols differ in whether the path contains the index, so it is added for all of them.
        error.metadata["row"] = str(number)
        raise
    path = request.paths.option("output_event")
    check_output_event(request.output_event, schema, prepared.cells.length, path)
    return prepared


def _score_one(
    model: LocalModel, output_event: int, caller: ModelCaller, prepared: PreparedSequence
) -> Outputs:
    """Returns the raw outputs (1, outputs) of one sequence."""

    def call(end: float) -> Outputs:
        return model.run(prepared.cells.as_batch(), prepared.padding, output_event, end)

    return caller.run(1, prepared.cells.length, caller.deadline.end, call)


def _score_remotely(
    model: RemoteModel, sequences: Sequence[PreparedSequence], output_event: int, caller: ModelCaller
) -> Outputs:
    """Returns raw outputs (n, outputs).

    Sequences of the same length and padding share calls. Equal sequences are sent once.
    """
    numbers_by_shape: dict[bytes, list[int]] = defaultdict(list)
    for number, prepared in enumerate(sequences):
        numbers_by_shape[_shape(prepared)].append(number)
    groups = list(numbers_by_shape.values())
    parts = [
        _score_group(model, [sequences[number] for number in numbers], output_event, caller)
        for numbers in groups
    ]
    # Grouping changed the order of the sequences, so restore it.
    order = np.argsort([number for numbers in groups for number in numbers])
    return np.concatenate(parts)[order]


def _score_group(
    model: RemoteModel, sequences: Sequence[PreparedSequence], output_event: int, caller: ModelCaller
) -> Outputs:
    """Returns the raw outputs (n, outputs) of sequences of the same length and padding."""
    first = sequences[0]
    digests = [row_digests(prepared.cells.as_batch())[0] for prepared in sequences]

    def build(rows: NDArray[np.intp]) -> Cells:
        return _stack([sequences[row].cells for row in rows])

    scorer = RemoteScorer.of(model, caller, first.cells, first.padding, output_event)
    return scorer.outputs(digests, build, math.inf)


def _stack(cells: Sequence[Cells]) -> Cells:
    """Returns a batch of sequences of the same length."""
    return Cells(
        tuple(map(np.stack, zip(*(each.events for each in cells), strict=True))),
        tuple(map(np.stack, zip(*(each.static for each in cells), strict=True))),
    )


def _shape(prepared: PreparedSequence) -> bytes:
    """Returns a key for the length and padding, which must be the same for all sequences of a call."""
    padding = (*prepared.padding.before, *prepared.padding.after)
    return repr((prepared.cells.length, [(array.shape, array.tobytes()) for array in padding])).encode()
