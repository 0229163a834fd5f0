"""Scores sequences as they are (what-if)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.asking import Asker, cut
from sequela.explaining.fitting import Fitted, fit_sequence
from sequela.explaining.limits import Limits
from sequela.explaining.ports import Endpoint, Model
from sequela.explaining.question import GivenSequence
from sequela.explaining.resolving import check_output_event
from sequela.explaining.served import Sender, row_bytes, row_digests, rows_of_a_call
from sequela.timeshap.cells import Cells

Outputs = NDArray[np.float64]


def score_all(
    model: Model, sequences: Sequence[GivenSequence], output_event: int, limits: Limits, asker: Asker
) -> Outputs:
    """Raw outputs (sequences, outputs).

    Raises InvalidInput with the path of the sequence at fault, TimeUp, Cancelled, and what `Model.run` raises.
    """
    fit = partial(_fitted, model, output_event, limits)
    if model.endpoint:
        fitted = [fit(number, sequence) for number, sequence in enumerate(sequences)]
        return _Served(model, model.endpoint, output_event, asker).scores(fitted)

    def scored(number: int, sequence: GivenSequence) -> Outputs:
        asker.clock.check()
        return _asked(model, fit(number, sequence), output_event, asker)

    jobs = (partial(scored, number, sequence) for number, sequence in enumerate(sequences))
    return np.concatenate(list(asker.share(jobs)))


def _fitted(model: Model, output_event: int, limits: Limits, number: int, sequence: GivenSequence) -> Fitted:
    fitted = fit_sequence(model.schema, model.fixed_length, sequence, limits, f"sequences[{number}]")
    check_output_event(output_event, model.schema, fitted.cells.length, "output_event")
    return fitted


def _asked(model: Model, fitted: Fitted, output_event: int, asker: Asker) -> Outputs:
    """Raw outputs (1, outputs) of one sequence."""

    def question(end: float) -> Outputs:
        return model.run(fitted.cells.as_batch(), fitted.frame, output_event, end)

    return asker.ask(1, fitted.cells.length, asker.clock.end, question)


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """By an endpoint: sequences of one length and padding go in one call, equal ones once."""

    model: Model
    endpoint: Endpoint
    output_event: int
    asker: Asker

    def scores(self, sequences: Sequence[Fitted]) -> Outputs:
        """Raw outputs (sequences, outputs)."""
        alike: dict[bytes, list[int]] = defaultdict(list)
        for number, fitted in enumerate(sequences):
            alike[_shape(fitted)].append(number)
        found: dict[int, Outputs] = {}
        for numbers in alike.values():
            found.update(zip(numbers, self._together([sequences[number] for number in numbers]), strict=True))
        return np.stack([found[number] for number in range(len(sequences))])

    def _together(self, sequences: Sequence[Fitted]) -> Iterable[Outputs]:
        """The outputs (outputs,) of sequences of one length and padding."""
        digests = [row_digests(fitted.cells.as_batch())[0] for fitted in sequences]
        first = {digest: number for number, digest in reversed(list(enumerate(digests)))}
        fresh = sorted(first.values())
        answers = self.endpoint.run(
            self._calls([sequences[number] for number in fresh]), self.asker.clock, math.inf
        )
        known = dict(zip((digests[number] for number in fresh), np.concatenate(answers), strict=True))
        return [known[digest] for digest in digests]

    def _calls(self, sequences: Sequence[Fitted]) -> Iterator[Callable[[], Outputs]]:
        sender, frame, clock = (
            Sender(self.model, self.endpoint, self.asker),
            sequences[0].frame,
            self.asker.clock,
        )
        size = row_bytes(self.model, sequences[0].cells, frame)
        for part in cut(
            0, len(sequences), rows_of_a_call(self.endpoint, len(sequences), size, clock, math.inf)
        ):
            batch = _stacked([fitted.cells for fitted in sequences[part]])
            yield partial(sender.send, batch, frame, self.output_event, math.inf)


def _stacked(cells: Sequence[Cells]) -> Cells:
    """Sequences of one length as a batch."""
    return Cells(
        tuple(map(np.stack, zip(*(each.events for each in cells), strict=True))),
        tuple(map(np.stack, zip(*(each.static for each in cells), strict=True))),
    )


def _shape(fitted: Fitted) -> bytes:
    """What sequences of one call have in common: length and padding."""
    frame = (*fitted.frame.before, *fitted.frame.after)
    return repr((fitted.cells.length, [(array.shape, array.tobytes()) for array in frame])).encode()
