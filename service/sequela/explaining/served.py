"""Values of coalitions by a model behind an endpoint. Its rows are money: equal ones are sent once."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.asking import Asker, cut
from sequela.explaining.clock import Clock
from sequela.explaining.ports import Endpoint, Frame, Model, TryAgain
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players

Outputs = NDArray[np.float64]

LOOKED_AT = 256
"""Rows built at a time to see which are new."""
FIRST_PAUSE = 0.05
"""Seconds before a call is sent again, doubled each time; half of it is left to chance."""
SHARE_OF_TIME = 0.2
"""Of the time left that one call may take, were its rows as slow as those of late."""


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """Sends batches to one model's endpoint, again where a call did not come through."""

    model: Model
    endpoint: Endpoint
    asker: Asker

    def send(self, batch: Cells, frame: Frame, output_event: int, until: float) -> Outputs:
        """Raw outputs (n, outputs) of a batch.

        Raises TimeUp past `until`, Cancelled when the caller is gone, and what `Model.run` raises but TryAgain.
        """
        rows, events = len(batch.events[0]), batch.length + len(frame.before[0]) + len(frame.after[0])

        def question(end: float) -> Outputs:
            return self.model.run(batch, frame, output_event, end)

        for pause in _pauses(self.endpoint.attempts):
            try:
                return self.asker.send(rows, events, until, question)
            except TryAgain as error:
                if pause is None:
                    raise error.error from None
                _rest(pause, self.asker.clock, until)
        raise AssertionError("an endpoint is asked at least once")


@dataclass(frozen=True, slots=True, eq=False)
class ServedRuns:
    """Runs sequences that mix X and B by an endpoint. Implements `evaluating.Runs`."""

    sender: Sender
    masker: Masker
    frame: Frame
    output_event: int
    known: dict[bytes, Outputs] = field(default_factory=dict)
    """The outputs (outputs,) of every row sent so far, by the row's digest."""

    def endpoints(self, players: Players) -> Outputs:
        """Raw outputs (2, outputs) of B and X."""
        return self.outputs(players, np.repeat([[False], [True]], len(players), axis=1), np.inf)

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> Outputs:
        """Raw outputs (n, outputs) of coalitions (n, players)."""
        mask = self.masker.over(players, 0, self.masker.sequence.length)
        digests = self._digests(mask, coalitions, until)
        fresh = {digest: row for row, digest in enumerate(digests) if digest not in self.known}
        rows = np.fromiter(fresh.values(), dtype=np.intp)
        answers = self.sender.endpoint.run(self._jobs(mask, coalitions, rows, until))
        if answers:
            self.known.update(zip(fresh, np.concatenate(answers), strict=True))
        return np.stack([self.known[digest] for digest in digests])

    def _digests(self, mask: Mask, coalitions: NDArray[np.bool_], until: float) -> list[bytes]:
        digests = []
        for part in cut(0, len(coalitions), LOOKED_AT):
            self.sender.asker.clock.check(until)
            digests += row_digests(mask.apply(coalitions, np.arange(part.start, part.stop)))
        return digests

    def _jobs(
        self, mask: Mask, coalitions: NDArray[np.bool_], rows: NDArray[np.intp], until: float
    ) -> Iterator[Callable[[], Outputs]]:
        for part in cut(0, len(rows), self._most_rows(until)):
            yield partial(self._run, mask, coalitions, rows[part], until)

    def _run(
        self, mask: Mask, coalitions: NDArray[np.bool_], rows: NDArray[np.intp], until: float
    ) -> Outputs:
        return self.sender.send(mask.apply(coalitions, rows), self.frame, self.output_event, until)

    def _most_rows(self, until: float) -> int:
        """As many as a call may hold; fewer where they would not be back in time."""
        endpoint, clock = self.sender.endpoint, self.sender.asker.clock
        left = SHARE_OF_TIME * max(min(until, clock.end) - clock.now(), 0.0)
        most = endpoint.rows(self._row_bytes)
        slow = endpoint.row_seconds * most > left
        return max(int(left / endpoint.row_seconds), 1) if slow else most

    @property
    def _row_bytes(self) -> int:
        sequence = self.masker.sequence
        arrays = (*sequence.events, *sequence.static, *self.frame.before, *self.frame.after)
        return sum(array.nbytes for array in arrays)


def row_digests(batch: Cells) -> list[bytes]:
    """A digest of each row (event and static values alike) of a batch of one length."""
    arrays = [np.ascontiguousarray(array) for array in (*batch.events, *batch.static)]
    return [_digest([array[row].data for array in arrays]) for row in range(len(arrays[0]))]


def _digest(parts: list[memoryview]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _pauses(attempts: int) -> Iterator[float | None]:
    """Seconds to wait after each attempt that fails; None after the last. Chance keeps callers from coming back all at
    once, and enters no result.
    """
    for attempt in range(attempts - 1):
        yield FIRST_PAUSE * 2**attempt * (0.5 + random.random() / 2)  # noqa: S311  # nothing secret
    yield None


def _rest(seconds: float, clock: Clock, until: float) -> None:
    """Waits; raises TimeUp where there is no time for that, Cancelled when the caller has gone meanwhile."""
    clock.check(min(until, clock.end) - seconds)
    clock.pause(seconds)
    clock.check(until)
