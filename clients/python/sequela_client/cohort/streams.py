"""Explains the sequences of one piece of work, with one stream of requests for each variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.client import Sequela
from sequela_client.cohort.batches import SequenceRow
from sequela_client.cohort.question import BulkQuestion, Variant
from sequela_client.cohort.rows import (
    Row,
    RowHead,
    below_minimum_row,
    error_row,
    explained_row,
    failed_row,
)
from sequela_client.errors import (
    OPERATORS_REASONS,
    AuthenticationError,
    NotFound,
    NotImplementedByServer,
    OperatorError,
    PermissionDenied,
    SequelaError,
    TlsError,
    TryAgain,
)
from sequela_client.inputs import EventInfo
from sequela_client.inputs import Sequence as EventSequence
from sequela_client.resources import Outcome

# The largest request for scores. All prefixes of a sequence together grow with the square of its length.
_SCORED_SEQUENCES = 64
_SCORED_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Item:
    """A sequence to explain as a variant, and its place among the rows of the piece of work."""

    place: int
    sequence: SequenceRow
    head: RowHead
    inputs: Mapping[str, NDArray[Any]]
    length: int

    def sent(self) -> EventSequence:
        """What is sent. Times make reasons that name them read as those of `sequela explain`."""
        times = [] if self.sequence.times is None else self.sequence.times.slice(0, self.length).to_pylist()
        events = tuple(EventInfo(time=time) for time in times)
        return EventSequence(self.inputs, events, self.head.id, self.head.labels)


class SequenceWork:
    """Explains sequences with all of their variants. If it failed, another call continues where it ended.

    Args:
        question: what is asked about each sequence.
        sequences: the sequences.
        target: the name of the target.
    """

    def __init__(self, question: BulkQuestion, sequences: Sequence[SequenceRow], target: str) -> None:
        self._question, self._target = question, target
        self._pairs = [
            (sequence, variant)
            for sequence in sequences
            for variant in question.variants
            if sequence.variants is None or variant.name in sequence.variants
        ]
        # Rows that are final, by their place. They survive a failure, so that another call sends only the others.
        self._rows: dict[int, Row] = {}
        # The first positive prediction does not depend on seed and tolerance, so variants share the search.
        self._firsts: dict[tuple[int, str | None], int | SequelaError | None] = {}

    def __call__(self, client: Sequela) -> list[Row]:
        """Returns the rows, in the order of sequences and variants.

        Raises:
            TryAgain: the server is busy or gone; rows that are done are kept.
            SequelaError: an error that every sequence would have.
        """
        # A stream has one model and one set of options.
        groups: dict[tuple[str | None, Variant], list[int]] = {}
        for place, (sequence, variant) in enumerate(self._pairs):
            if place not in self._rows:
                checkpoint = sequence.checkpoint or variant.checkpoint
                groups.setdefault((checkpoint, variant), []).append(place)
        for (checkpoint, variant), places in groups.items():
            items = [item for place in places if (item := self._item(client, place, checkpoint)) is not None]
            if items:
                self._explain(client, items, checkpoint, variant)
        # Every place has a row now: a stream that leaves one out raises.
        return [self._rows[place] for place in range(len(self._pairs))]

    def _item(self, client: Sequela, place: int, checkpoint: str | None) -> _Item | None:
        """Returns the sequence to send; None if its row needs no explanation."""
        sequence, variant = self._pairs[place]
        head = RowHead(
            sequence.id,
            variant.name,
            sequence.row,
            checkpoint,
            variant.seed,
            full_length=sequence.length,
            labels=sequence.labels,
        )
        if sequence.flaw is not None:
            self._rows[place] = failed_row(head, *sequence.flaw)
            return None
        length = sequence.length or 0
        if self._question.first_positive is None:
            timed = replace(head, time=_time(sequence, length))
            return _Item(place, sequence, timed, sequence.inputs, length)
        return self._at_first_positive(client, place, head, checkpoint)

    def _at_first_positive(
        self, client: Sequela, place: int, head: RowHead, checkpoint: str | None
    ) -> _Item | None:
        sequence, _ = self._pairs[place]
        key = (sequence.row, checkpoint)
        if key not in self._firsts:
            self._firsts[key] = self._first_positive(client, sequence, checkpoint)
        found = self._firsts[key]
        if isinstance(found, SequelaError):
            self._rows[place] = error_row(head, found)
            return None
        if found is None:
            self._rows[place] = below_minimum_row(head, self._target)
            return None
        cut = replace(head, time=_time(sequence, found), first_positive=found - (sequence.length or 0))
        return _Item(place, sequence, cut, sequence.until(found), found)

    def _first_positive(
        self, client: Sequela, sequence: SequenceRow, checkpoint: str | None
    ) -> int | SequelaError | None:
        """Returns the length of the shortest prefix whose score is above the threshold; None if there is none."""
        length, start = sequence.length or 0, 1
        while start <= length:
            # A batch of prefixes, not all of them: the first positive prediction is often an early one.
            count = max(1, min(_SCORED_SEQUENCES, _SCORED_VALUES // (length * _width(sequence))))
            sizes = range(start, min(start + count, length + 1))
            try:
                scores = client.score(
                    [EventSequence(sequence.until(size)) for size in sizes],
                    model=self._question.model_of(checkpoint),
                    targets=None if self._question.target is None else [self._question.target],
                    output_event=self._question.options.get("output_event"),
                    timeout=self._question.timeout,
                )
            except SequelaError as error:
                # An error of this sequence alone becomes its row; any other one ends the work.
                if isinstance(error, OperatorError) or _is_everyones(error):
                    raise
                return error
            above = np.flatnonzero(scores.values[:, 0] > (self._question.first_positive or 0.0))
            if len(above):
                return sizes[int(above[0])]
            start = sizes[-1] + 1
        return None

    def _explain(
        self, client: Sequela, items: Sequence[_Item], checkpoint: str | None, variant: Variant
    ) -> None:
        """Explains sequences over one stream, and keeps the rows that are final."""
        later: SequelaError | None = None
        background = self._question.background
        assert not isinstance(background, Path)
        outcomes: Iterable[Outcome] = client.explain_many(
            [item.sent() for item in items],
            model=self._question.model_of(checkpoint),
            background=background,
            priority="bulk",
            timeout=self._question.timeout,
            **self._question.options_of(variant),
        )
        for outcome in outcomes:
            item = items[outcome.index]
            if outcome.explanation is not None:
                self._rows[item.place] = explained_row(item.head, outcome.explanation)
                continue
            error = outcome.error or TryAgain("the server sent neither an explanation nor an error")
            # The other outcomes are read first, so that no finished explanation is computed twice.
            if isinstance(error, TryAgain):
                later = error
            elif _is_everyones(error):
                raise error
            else:
                self._rows[item.place] = error_row(item.head, error)
        if any(item.place not in self._rows for item in items):
            raise later or TryAgain("the server ended the stream early")


def _is_everyones(error: SequelaError) -> bool:
    """Whether an error concerns every sequence: a wrong option, an unknown model, refused credentials."""
    if isinstance(error, TryAgain | TlsError | AuthenticationError | PermissionDenied):
        return True
    if isinstance(error, OperatorError):
        # Others are bugs or failures of the model, which may concern a single sequence.
        return isinstance(error, NotImplementedByServer) or error.reason in OPERATORS_REASONS
    if isinstance(error, NotFound):
        return True
    # The server names the field at fault: only errors about the sequence concern it alone.
    fields = [violation.field for violation in error.violations]
    return bool(fields) and not any(field.startswith("sequence") for field in fields)


def _width(sequence: SequenceRow) -> int:
    return sum(int(np.prod(array.shape[1:])) for array in sequence.inputs.values()) or 1


def _time(sequence: SequenceRow, length: int) -> datetime | None:
    """Returns the time of the last event of a prefix."""
    if sequence.times is None:
        return None
    time: datetime | None = sequence.times[length - 1].as_py()
    return time
