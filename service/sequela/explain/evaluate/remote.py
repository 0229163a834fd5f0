"""Values of coalitions by a model behind an endpoint. Its rows are money: equal ones are sent once."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.evaluate.model_caller import ModelCaller, even_slices
from sequela.explain.ports import Endpoint, Frame, Model, TryAgain
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players

Outputs = NDArray[np.float64]
Build: TypeAlias = Callable[[NDArray[np.intp]], Cells]

LOOKED_AT = 256
"""Rows built at a time to see which are new."""
FIRST_PAUSE = 0.05
"""Seconds before a call is sent again, doubled each time; half of it is left to chance."""
SHARE_OF_TIME = 0.2
"""Of the time left that one call may take, were it as slow as those of late."""
SHORTER = 0.8
"""A smaller call must take at most so much of a larger one's time to be worth it."""
WORTH_A_CALL = 32
"""Rows that a call should have for our own work on it to be worth it."""
MOST_KNOWN = 1 << 22
"""Outputs remembered at most, 8 bytes each."""
VALUE_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """Sends batches to one model's endpoint, again where a call did not come through."""

    model: Model
    endpoint: Endpoint
    caller: ModelCaller

    def send(self, batch: Cells, frame: Frame, output_event: int, until: float) -> Outputs:
        """Raw outputs (n, outputs) of a batch.

        Raises what `Endpoint.admitted` and `Model.run` raise, but TryAgain.
        """
        rows, events = len(batch.events[0]), batch.length + len(frame.before[0]) + len(frame.after[0])

        def call(end: float) -> Outputs:
            return self.model.run(batch, frame, output_event, end)

        sent = self.endpoint.sent(rows)
        for pause in _pauses(self.endpoint.attempts):
            try:
                with self.endpoint.admitted(sent, self.caller.deadline, until):
                    return self.caller.send(rows, sent, events, until, call)
            except TryAgain as error:
                if pause is None:
                    raise error.error from None
                _rest(pause, self.caller.deadline, until, error.error)
        raise AssertionError("an endpoint is asked at least once")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one length and padding, by digest; each different one is sent once.

    frame: the padding of all. size: bytes of a row. known: the outputs (outputs,) of rows sent so far.
    """

    sender: Sender
    frame: Frame
    output_event: int
    size: int
    known: dict[bytes, Outputs] = field(default_factory=dict)

    def outputs(self, digests: Sequence[bytes], build: Build, until: float) -> Outputs:
        """Raw outputs (n, outputs) of the rows of these digests; `build` makes a batch of some of them, by number.

        Raises as `Sender.send` does; what calls brought before one failed stays known.
        """
        if self.known and len(self.known) * len(next(iter(self.known.values()))) > MOST_KNOWN:
            self.known.clear()  # forgetting costs rows, not correctness
        found = {digest: self.known[digest] for digest in digests if digest in self.known}
        fresh = {digest: row for row, digest in enumerate(digests) if digest not in found}
        for part in self._asked(list(fresh), np.fromiter(fresh.values(), dtype=np.intp), build, until):
            found.update(part)
        return np.stack([found[digest] for digest in digests])

    def fresh(self, digests: Sequence[bytes]) -> list[int]:
        """The first row of each digest that was not sent so far."""
        first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
        return sorted(row for digest, row in first.items() if digest not in self.known)

    def again(self, build: Build, until: float, rows: Sequence[int]) -> list[Outputs]:
        """Outputs (outputs,) of rows, each sent in a call of its own, known or not."""
        endpoint, deadline = self.sender.endpoint, self.sender.caller.deadline

        def asked(row: int) -> Outputs:
            answer: Outputs = self.sender.send(build(np.array([row])), self.frame, self.output_event, until)[
                0
            ]
            return answer

        return endpoint.run((partial(asked, row) for row in rows), deadline, until)

    def _asked(
        self, digests: Sequence[bytes], rows: NDArray[np.intp], build: Build, until: float
    ) -> Iterable[dict[bytes, Outputs]]:
        endpoint, deadline = self.sender.endpoint, self.sender.caller.deadline

        def asked(part: slice) -> dict[bytes, Outputs]:
            outputs = self.sender.send(build(rows[part]), self.frame, self.output_event, until)
            answers = dict(zip(digests[part], outputs, strict=True))
            self.known.update(answers)
            return answers

        most = rows_of_a_call(endpoint, len(rows), self.size, deadline, until)
        return endpoint.run(
            (partial(asked, part) for part in even_slices(0, len(rows), most)), deadline, until
        )


@dataclass(frozen=True, slots=True, eq=False)
class RemoteExecution:
    """Runs sequences that mix X and B by an endpoint. Implements `evaluate.Execution`."""

    rows: Rows
    masker: Masker

    def live(self, players: Players) -> NDArray[np.bool_]:
        """As in `Execution`."""
        return self.masker.live(players, self.masker.sequence.length)

    def seconds(self, _: int) -> float:
        """As in `Execution`: small games are sampled first, so nothing is guessed."""
        return 0.0

    def endpoints(self, players: Players) -> Outputs:
        """Raw outputs (2, outputs) of B and X."""
        return self.outputs(players, np.repeat([[False], [True]], len(players), axis=1), np.inf)

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> Outputs:
        """Raw outputs (n, outputs) of coalitions (n, players)."""
        mask = self.masker.over(players, 0, self.masker.sequence.length)
        digests = self._digests(mask, coalitions, until)
        build = partial(mask.apply, coalitions)
        alone = self.rows.sender.endpoint.rows_alone
        tried = alone.chosen(self.rows.fresh(digests), coalitions) if alone.left else []
        outputs = self.rows.outputs(digests, build, until)
        if tried:
            with suppress(DeadlinePassed):  # another request has the time
                alone.check(
                    self.rows.sender.endpoint.uri, tried, outputs, partial(self.rows.again, build, until)
                )
        return outputs

    def _digests(self, mask: Mask, coalitions: NDArray[np.bool_], until: float) -> list[bytes]:
        caller = self.rows.sender.caller

        def digested(part: slice) -> list[bytes]:
            caller.deadline.check(until)
            return row_digests(mask.apply(coalitions, np.arange(part.start, part.stop)))

        parts = caller.run_jobs(
            partial(digested, part) for part in even_slices(0, len(coalitions), LOOKED_AT)
        )
        return list(chain.from_iterable(parts))


def row_bytes(model: Model, sequence: Cells, frame: Frame) -> int:
    """Of a sequence's tensors, or of its outputs where these are more."""
    arrays = (*sequence.events, *sequence.static, *frame.before, *frame.after)
    events = sequence.length + len(frame.before[0]) + len(frame.after[0])
    steps = events if model.info.schema.per_event else 1
    marks = VALUE_BYTES * (events + 1)  # a mask and a length
    return max(
        sum(array.nbytes for array in arrays) + marks, VALUE_BYTES * steps * len(model.info.schema.targets)
    )


def rows_of_a_call(endpoint: Endpoint, rows: int, size_of_row: int, deadline: Deadline, until: float) -> int:
    """How many rows, of so many bytes each, go into each call so that all are back soonest, as calls of late went; the
    more the better.

    Calls that would take much of the time left are cut smaller, as long as that makes them shorter.
    """
    left = SHARE_OF_TIME * (min(until, deadline.end) - deadline.now())
    best = size = endpoint.rows(size_of_row)
    while size > 1:
        size //= 2
        shorter = endpoint.seconds(size) < SHORTER * endpoint.seconds(best)
        late = endpoint.seconds(best) > left
        sooner = _all_back(endpoint, rows, size) < SHORTER * _all_back(endpoint, rows, best)
        if shorter and (late or (sooner and size >= WORTH_A_CALL)):
            best = size
    return best


def _all_back(endpoint: Endpoint, rows: int, size: int) -> float:
    """Seconds until all rows are back."""
    calls = -(-rows // size)
    rounds = -(-calls // endpoint.lanes)
    return rounds * endpoint.seconds(min(size, rows))


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


def _rest(seconds: float, deadline: Deadline, until: float, why: SequelaError) -> None:
    """Waits; raises TimeUp where there is no time for that, Cancelled when the caller has gone meanwhile."""
    if min(until, deadline.end) - deadline.now() < seconds:
        raise DeadlinePassed from why
    deadline.pause(seconds)
    deadline.check(until)
