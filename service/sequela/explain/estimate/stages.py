"""Which nested stage of a game comes next: as few as will do, and smaller ones where time is short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sequela.concurrency.deadline import Deadline

FIRST_PART = 1 / 16
"""Of a game that is played whole, the part that is there should the time not suffice for all of it."""
SMALL = 1 << 16
"""Games of up to so many coalitions are played whole at once, where a guess leaves no doubt that there is time."""
GUESSED = 1 / 8
"""Of the time left, what a first stage may take by a guess: where the guess is wrong, there would be nothing at all."""

PART = 1 / 2
"""Of the time left, what a part of a game may take that does not fit whole: a stage that time stops is lost."""


class StagePlan:
    """The sizes of the nested stages, ascending. until: when the last must have ended, on the monotonic clock.

    whole: nothing but the last stage will do, since it is the whole game. leap: where no earlier stage can reach the
    target, the share of the time left within which a stage is gone to at once: every stage costs a way there and back.
    fewest: no smaller stage may be the last, but for time: of these the first will do.
    """

    def __init__(
        self, sizes: Sequence[int], whole: bool, until: float, leap: float = 0.0, fewest: int = 0
    ) -> None:
        self.last, self.fewest = sizes[-1], fewest
        self._sizes, self._whole, self._until, self._leap = tuple(sizes), whole, until, leap
        self._seconds = 0.0

    def after(self, size: int, hopeless: float) -> int:
        """The stage after one of `size`, which is not the last. Sizes below `hopeless` cannot reach the target:
        of these every second one will do. A stage that would not end in time gives way to the next smaller one.
        """
        later = [each for each in self._sizes if each > size]
        if self._whole:
            wish = self.last if size else self._first_part()
        elif later[0] < self.fewest:
            wish = self._first_to_trust(later) if size else later[0]
        else:
            wish = later[1] if len(later) > 1 and later[1] < hopeless else later[0]
            near = [each for each in later if each <= hopeless and self._fits(each - size, self._leap)]
            wish = max(wish, *near) if size and near else wish
        share = self._share(size, wish)
        return max(
            (each for each in later if each <= wish and self._fits(each - size, share)), default=later[0]
        )

    def _share(self, size: int, wish: int) -> float:
        """Of the time left, what the stage after one of `size` may take."""
        if not size:
            return GUESSED
        return PART if self._whole and not self._fits(wish - size) else 1.0

    def _first_to_trust(self, later: Sequence[int]) -> int:
        return next((each for each in later if each >= self.fewest), self.last)

    def _first_part(self) -> int:
        """What a whole game begins with."""
        parts = [each for each in self._sizes if each <= FIRST_PART * self.last]
        at_once = not parts or (self.last <= SMALL and self._fits(self.last, GUESSED))
        return self.last if at_once else parts[-1]

    def expect(self, seconds: float) -> None:
        """How long a coalition takes, at a guess, until a stage has told it."""
        self._seconds = seconds

    @contextmanager
    def timed(self, size: int, grown: int) -> Iterator[None]:
        """Learns from a stage how long coalitions take."""
        start = Deadline.now()
        yield
        self._seconds = (Deadline.now() - start) / (grown - size)

    def _fits(self, coalitions: int, share: float = 1.0) -> bool:
        return coalitions * self._seconds < share * (self._until - Deadline.now())
