"""Chooses the next of a game's nested stages: as few stages as possible, and smaller ones if time is short.

The rules are in docs/estimator.md, "Stages".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sequela.concurrency.deadline import Deadline

FIRST_PART = 1 / 16
"""Share of a whole game that is evaluated first, so that there is an answer if time runs out before the end."""
MAX_UNSPLIT = 1 << 16
"""Whole games of up to this many coalitions are evaluated in one stage if they are expected to end well in time."""
FIRST_STAGE_SHARE = 1 / 8
"""Share of the time left that a first stage is expected to take at most. If it takes too long, there is no answer."""
PART_SHARE = 1 / 2
"""Share of the time left that one part of a whole game may take. If the deadline stops a stage, its work is lost."""


class StagePlan:
    """Chooses the next stage of one game.

    Args:
        sizes: The sizes of the nested stages in coalitions, ascending.
        whole: Whether the last stage is the whole game, so that the stages before it have no value of their own.
        until: When the last stage must have ended, in seconds on the monotonic clock.
        direct_share: Stages that cannot reach the target are skipped if the stage evaluated instead takes at most
            this share of the time left. Behind an endpoint, every stage costs a round trip.
        min_trusted: Stages smaller than this cannot end the game by their standard errors, so only the first of them
            is evaluated.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        whole: bool,
        until: float,
        direct_share: float = 0.0,
        min_trusted: int = 0,
    ) -> None:
        self.last, self.min_trusted = sizes[-1], min_trusted
        self._sizes, self._whole = tuple(sizes), whole
        self._until, self._direct_share = until, direct_share
        self._seconds = 0.0

    @property
    def is_single(self) -> bool:
        """Whether there is one stage only."""
        return len(self._sizes) == 1

    def after(self, size: int, smallest_useful: float) -> int:
        """Returns the size of the stage that follows one of `size` coalitions, which must not be the last stage.

        Sizes below `smallest_useful` cannot reach the target. A stage that would not end in time is replaced by the
        largest one that would.
        """
        later = [each for each in self._sizes if each > size]
        preferred = self._preferred_stage(size, later, smallest_useful)
        share = self._share(size, preferred)
        # There is always a next stage: the smallest one is tried even if it seems too large for the time.
        in_time = (each for each in later if each <= preferred and self._fits(each - size, share))
        return max(in_time, default=later[0])

    def _preferred_stage(self, size: int, later: Sequence[int], smallest_useful: float) -> int:
        """Returns the stage to take if there is time for it."""
        if self._whole:
            return self.last if size else self._first_part()
        if later[0] < self.min_trusted:
            return self._first_trusted_stage(later) if size or self._begins_trusted(later) else later[0]
        # Stages that cannot reach the target only guard against the deadline, so every second one is enough.
        following = later[1] if len(later) > 1 and later[1] < smallest_useful else later[0]
        if not size:
            return following
        useful = next((each for each in later if each >= smallest_useful), self.last)
        if self._fits(useful - size, self._direct_share):
            return useful
        reachable = (
            each for each in later if each <= smallest_useful and self._fits(each - size, self._direct_share)
        )
        # `following` appears twice because max() needs two arguments even if no stage is reachable.
        return max(following, *reachable, following)

    def _share(self, size: int, preferred: int) -> float:
        """Share of the time left that the stage after one of `size` coalitions may take."""
        if not size:
            return FIRST_STAGE_SHARE
        return PART_SHARE if self._whole and not self._fits(preferred - size) else 1.0

    def _first_trusted_stage(self, later: Sequence[int]) -> int:
        return next((each for each in later if each >= self.min_trusted), self.last)

    def _begins_trusted(self, later: Sequence[int]) -> bool:
        """Returns whether the first stage can be one that may end the game, because it surely fits into the time."""
        return self._seconds > 0 and self._fits(self._first_trusted_stage(later), FIRST_STAGE_SHARE)

    def _first_part(self) -> int:
        """Returns the first stage of a game that is evaluated whole."""
        parts = [each for each in self._sizes if each <= FIRST_PART * self.last]
        # A first part is a safeguard, which is not needed if there is surely time for the whole game.
        unsplit = self.last <= MAX_UNSPLIT and self._fits(self.last, FIRST_STAGE_SHARE)
        return self.last if unsplit or not parts else parts[-1]

    def expect(self, seconds: float) -> None:
        """Sets the estimated time per coalition in seconds. The first stage replaces it with a measurement."""
        self._seconds = seconds

    @contextmanager
    def measure(self, size: int, grown: int) -> Iterator[None]:
        """Measures the seconds per coalition while the sample grows from `size` to `grown` coalitions."""
        start = Deadline.now()
        yield
        self._seconds = (Deadline.now() - start) / (grown - size)

    def _fits(self, coalitions: int, share: float = 1.0) -> bool:
        return coalitions * self._seconds < share * (self._until - Deadline.now())
