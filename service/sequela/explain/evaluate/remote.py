"""Evaluates coalitions with a model behind an endpoint. Each row may cost money, so equal rows are sent only once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.evaluate.model_caller import ModelCaller, even_slices
from sequela.explain.ports import PaddingRows, RemoteEndpoint, RemoteModel, RemoteRows
from sequela.timeshap.cells import Cells
from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players

Outputs = NDArray[np.float64]
Build: TypeAlias = Callable[[NDArray[np.intp]], Cells]
"""Builds a batch from the rows with the given numbers."""

DIGESTED_AT_ONCE = 256
"""How many rows are built at once to compute their digests."""
MIN_WITNESSED_ROWS = 32
"""The sequence itself is sent again, as a witness, with at least this many rows: at most 3 % more."""
MAX_KNOWN_OUTPUTS = 1 << 22
"""The most outputs that are remembered for one sequence, at 8 bytes each."""
VALUE_BYTES = 8
MAX_LABEL = 1 << 23
"""Larger whole numbers are no class labels: every float32 from here on is whole."""


@dataclass(frozen=True, slots=True, eq=False)
class _CallCost:
    """Counts the calls for one batch of rows and passes on their outputs. Implements `CallListener`.

    Attributes:
        caller: Adds up the cost of the request.
        events: The number of events in a row, including padding.
        keep: Receives the outputs of each call, and which of the rows they belong to.
    """

    caller: ModelCaller
    events: int
    keep: Callable[[slice, Outputs], None]

    def call_sent(self, rows: int) -> None:
        self.caller.count_sent(rows)

    def version_named(self, version: str) -> None:
        self.caller.note_version(version)

    def call_answered(self, rows: slice, outputs: Outputs, seconds: float) -> None:
        self.caller.count_answer(len(outputs), self.events, seconds)
        whole = (outputs == np.round(outputs)) & (np.abs(outputs) < MAX_LABEL)
        self.caller.count_whole_numbers(int(whole.all(axis=1).sum()))
        self.caller.check_versions()
        self.keep(rows, outputs)


@dataclass(frozen=True, slots=True, eq=False)
class RemoteScorer:
    """Scores rows of the same length and padding by calling an endpoint. Rows with equal digests are sent only once.

    Attributes:
        endpoint: Scores the rows.
        caller: Adds up the cost of the request.
        padding: The padding of every row.
        output_event: As in `LocalModel.run`.
        events: The number of events in a row, including padding.
        row_bytes: See `ports.RemoteRows`.
        output_count: The number of outputs of a row.
        known: The outputs (outputs,) of each row sent so far, by digest.
    """

    endpoint: RemoteEndpoint
    caller: ModelCaller
    padding: PaddingRows
    output_event: int
    events: int
    row_bytes: int
    output_count: int
    known: dict[bytes, Outputs] = field(default_factory=dict)

    @classmethod
    def of(
        cls, model: RemoteModel, caller: ModelCaller, sequence: Cells, padding: PaddingRows, output_event: int
    ) -> RemoteScorer:
        """Returns a scorer for rows with the length and padding of this sequence."""
        size, output_count = row_bytes(model, sequence, padding), len(model.info.schema.targets)
        events = _framed_events(sequence, padding)
        return cls(model.endpoint, caller, padding, output_event, events, size, output_count)

    def outputs(
        self, digests: Sequence[bytes], build: Build, until: float, witness: bytes | None = None
    ) -> Outputs:
        """Returns the raw outputs (n, outputs) of n rows.

        If a call fails, the outputs of the calls before it remain known.

        Args:
            digests: The digest of each row.
            build: Builds a batch of some of the rows. It gets the number n for the witness.
            until: When the outputs are needed, in seconds on the monotonic clock.
            witness: The digest of a row that may be sent again, if it is known, to find out whether the endpoint still
                gives it the same outputs.

        Raises:
            SequelaError: As `RemoteEndpoint.score_batches` and `RowIndependence.check_again` raise.
        """
        # Calls that were given up at a deadline may still add rows in their threads, so `known` is never iterated.
        if len(self.known) * self.output_count > MAX_KNOWN_OUTPUTS:
            self.known.clear()  # rows may have to be sent again, but answers stay the same
        found = {digest: self.known[digest] for digest in digests if digest in self.known}
        fresh = {digest: row for row, digest in enumerate(digests) if digest not in found}
        if fresh:
            before = self.known.get(witness) if witness and len(fresh) >= MIN_WITNESSED_ROWS else None
            again = [] if before is None else [len(digests)]
            outputs = self._send_fresh(fresh, again, build, until)
            if before is not None:
                score_alone = partial(self.score_alone, build, until, again)
                self.endpoint.row_independence.check_again(
                    self.endpoint.info.uri, before, outputs, score_alone
                )
            found.update(zip(fresh, outputs, strict=False))  # the witness comes last
        return np.stack([found[digest] for digest in digests])

    def unsent(self, digests: Sequence[bytes]) -> list[int]:
        """Returns the first row of each digest that has not been sent yet."""
        # Reversed, so that the first row of a digest overwrites the later ones.
        first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
        return sorted(row for digest, row in first.items() if digest not in self.known)

    def score_alone(self, build: Build, until: float, rows: Sequence[int]) -> list[Outputs]:
        """Returns the outputs (outputs,) of each row. Each one is sent in a separate call, even if it is known."""
        return list(self._send(np.asarray(rows, dtype=np.intp), build, until, _forget, max_call_rows=1))

    def _send_fresh(self, fresh: dict[bytes, int], again: list[int], build: Build, until: float) -> Outputs:
        digests = list(fresh)

        def keep(part: slice, outputs: Outputs) -> None:
            self.known.update(zip(digests[part], outputs, strict=False))  # without the witness

        return self._send(np.array([*fresh.values(), *again], dtype=np.intp), build, until, keep)

    def _send(
        self,
        rows: NDArray[np.intp],
        build: Build,
        until: float,
        keep: Callable[[slice, Outputs], None],
        max_call_rows: int | None = None,
    ) -> Outputs:
        def build_some(places: NDArray[np.intp]) -> Cells:
            return build(rows[places])

        wanted = RemoteRows(
            len(rows), build_some, self.padding, self.output_event, self.row_bytes, max_call_rows
        )
        cost = _CallCost(self.caller, self.events, keep)
        return self.endpoint.score_batches(wanted, self.caller.deadline, until, cost)


@dataclass(frozen=True, slots=True, eq=False)
class RemoteExecution:
    """Scores mixes of X and B by calling an endpoint. Implements `evaluator.Execution`."""

    scorer: RemoteScorer
    masker: Masker

    def live(self, players: Players) -> NDArray[np.bool_]:
        """As in `Execution`."""
        return self.masker.live(players, self.masker.sequence.length)

    def seconds(self, _: int) -> float:
        """As in `Execution`. Always 0, because even small games start with a sample and need no estimate."""
        return 0.0

    def base_and_score(self, players: Players) -> Outputs:
        """As in `Execution`."""
        return self.outputs(players, np.repeat([[False], [True]], len(players), axis=1), np.inf)

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> Outputs:
        """As in `Execution`. Also raises DoesNotFit if the rows of a call influence each other, and Unavailable if the
        endpoint now scores the sequence differently.
        """
        mask = self.masker.over(players, 0, self.masker.sequence.length)
        digests = self._digests(mask, coalitions, until)
        everyone = np.ones((1, coalitions.shape[1]), dtype=np.bool_)
        build = partial(mask.apply, np.concatenate((coalitions, everyone)))
        (sequence,) = row_digests(mask.apply(everyone, np.zeros(1, dtype=np.intp)))
        independence = self.scorer.endpoint.row_independence
        chosen = independence.choose(self.scorer.unsent(digests), coalitions) if independence.left else []
        outputs = self.scorer.outputs(digests, build, until, sequence)
        if chosen:
            score_alone = partial(self.scorer.score_alone, build, until)
            # If there is no time for the check, a later request makes it.
            with suppress(DeadlinePassed):
                independence.check(self.scorer.endpoint.info.uri, chosen, outputs, score_alone)
        return outputs

    def _digests(self, mask: Mask, coalitions: NDArray[np.bool_], until: float) -> list[bytes]:
        caller = self.scorer.caller

        def digests_of(part: slice) -> list[bytes]:
            caller.deadline.check(until)
            return row_digests(mask.apply(coalitions, np.arange(part.start, part.stop)))

        parts = caller.run_jobs(
            partial(digests_of, part) for part in even_slices(0, len(coalitions), DIGESTED_AT_ONCE)
        )
        return list(chain.from_iterable(parts))


def row_bytes(model: RemoteModel, sequence: Cells, padding: PaddingRows) -> int:
    """Returns the size in bytes of one row's tensors, or of its outputs if those are larger."""
    arrays = (*sequence.events, *sequence.static, *padding.before, *padding.after)
    events = _framed_events(sequence, padding)
    steps = events if model.info.schema.per_event else 1
    mask_and_length = VALUE_BYTES * (events + 1)
    inputs = sum(array.nbytes for array in arrays) + mask_and_length
    return max(inputs, VALUE_BYTES * steps * len(model.info.schema.targets))


def row_digests(batch: Cells) -> list[bytes]:
    """Returns the digests of the rows of a batch, over their event and static values."""
    arrays = [np.ascontiguousarray(array) for array in (*batch.events, *batch.static)]
    return [_digest([array[row].data for array in arrays]) for row in range(len(arrays[0]))]


def _framed_events(sequence: Cells, padding: PaddingRows) -> int:
    return sequence.length + len(padding.before[0]) + len(padding.after[0])


def _digest(parts: list[memoryview]) -> bytes:
    # With 128 bits, rows of one process practically never share a digest by accident.
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _forget(_part: slice, _outputs: Outputs) -> None:
    """Ignores outputs. Those of rows that were sent a second time are compared, but not kept."""
