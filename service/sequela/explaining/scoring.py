"""Scores sequences as they are (what-if): each one is a batch of its own, since lengths differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.asking import Asker
from sequela.explaining.fitting import Fitted, fit_sequence
from sequela.explaining.limits import Limits
from sequela.explaining.ports import Model
from sequela.explaining.question import GivenSequence
from sequela.explaining.resolving import check_output_event
from sequela.explaining.served import Sender


def score_all(
    model: Model, sequences: Sequence[GivenSequence], output_event: int, limits: Limits, asker: Asker
) -> NDArray[np.float64]:
    """Raw outputs (sequences, outputs).

    Raises InvalidInput with the path of the sequence at fault, TimeUp, Cancelled, and what `Model.run` raises.
    """
    jobs = _jobs(model, sequences, output_event, limits, asker)
    rows = model.endpoint.run(jobs, asker.clock, math.inf) if model.endpoint else asker.share(jobs)
    return np.concatenate(list(rows))


def _jobs(
    model: Model, sequences: Sequence[GivenSequence], output_event: int, limits: Limits, asker: Asker
) -> Iterator[Callable[[], NDArray[np.float64]]]:
    for index, sequence in enumerate(sequences):
        path = f"sequences[{index}]"
        yield partial(_scored, model, sequence, path, output_event, limits, asker)


def _scored(
    model: Model, sequence: GivenSequence, path: str, output_event: int, limits: Limits, asker: Asker
) -> NDArray[np.float64]:
    """Raw outputs (1, outputs) of one sequence."""
    asker.clock.check()
    fitted = fit_sequence(model.schema, model.fixed_length, sequence, limits, path)
    check_output_event(output_event, model.schema, fitted.cells.length, "output_event")
    return _asked(model, fitted, output_event, asker)


def _asked(model: Model, fitted: Fitted, output_event: int, asker: Asker) -> NDArray[np.float64]:
    batch, frame = fitted.cells.as_batch(), fitted.frame
    if model.endpoint:
        return Sender(model, model.endpoint, asker).send(batch, frame, output_event, asker.clock.end)

    def question(end: float) -> NDArray[np.float64]:
        return model.run(batch, frame, output_event, end)

    return asker.ask(1, fitted.cells.length, asker.clock.end, question)
