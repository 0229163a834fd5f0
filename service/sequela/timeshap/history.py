"""Finds effects that offset each other within the pruned events, and where to split these (docs/design.md §4.3).

The cut judges P as a whole. The scanned curve has more detail: w1 at an older split i is the contribution of the i
oldest events. So there are relevant events between two splits whose w1 differ by more than η, even if P as a whole is
irrelevant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The pruning curve within P.

    Attributes:
        importance: w1 of the i oldest events in row i, (pruned + 1, targets). Row 0 is 0. A split that was not scanned
            has the w1 of the next older split that was.
        tolerance: η, (targets,).
    """

    importance: NDArray[np.float64]
    tolerance: NDArray[np.float64]

    @property
    def peak(self) -> NDArray[np.float64]:
        """The largest |w1| of the splits older than the cut, (targets,)."""
        return np.asarray(np.abs(self.importance[:-1]).max(axis=0, initial=0.0))

    def farthest(self, target: int) -> int:
        """Returns the split older than the cut with the largest |w1| for a target, as a number of events."""
        return int(np.abs(self.importance[:-1, target]).argmax())

    def ranges(self, blocks: Sequence[int]) -> NDArray[np.float64]:
        """Returns the range of the curve within each block, (blocks, targets). `blocks` are sizes, oldest first."""
        parts = [self.importance[start : stop + 1] for start, stop in _bounds(blocks)]
        return np.array([part.max(axis=0) - part.min(axis=0) for part in parts]).reshape(len(parts), -1)

    def to_split(
        self, blocks: Sequence[int], attributions: NDArray[np.float64], errors: NDArray[np.float64]
    ) -> int | None:
        """Returns the index of the block to split next, or None if no block qualifies.

        A block of several events qualifies if, for any target, |φ| + 2 standard errors > η or the range of its curve
        > η. Of these blocks, the one with the largest |φ| or range, in units of η, is chosen.

        Args:
            blocks: The sizes of the blocks, oldest first.
            attributions: φ of the blocks, (blocks, targets).
            errors: The standard errors of φ, (blocks, targets).
        """
        if not blocks:
            return None
        size, ranges = np.abs(attributions), self.ranges(blocks)
        open_blocks = ((size + 2 * errors > self.tolerance) | (ranges > self.tolerance)).any(axis=1)
        open_blocks &= np.asarray(blocks) > 1
        if not open_blocks.any():
            return None
        weight = (np.maximum(size, ranges) / self._unit).max(axis=1)
        return int(np.argmax(np.where(open_blocks, weight, -1.0)))

    def split(self, blocks: Sequence[int], index: int) -> tuple[int, ...]:
        """Returns the blocks with one of them split in two.

        If the range of its curve exceeds η, the block is split where the curve has covered half of its total
        variation. Otherwise it is split in half, and an odd event goes to the older part.
        """
        size = blocks[index]
        start = sum(blocks[:index])
        older = size - size // 2
        if (self.ranges(blocks)[index] > self.tolerance).any():
            older = self._halfway(start, start + size) - start
        return (*blocks[:index], older, size - older, *blocks[index + 1 :])

    def offsetting_blocks(self, blocks: Sequence[int]) -> int:
        """Returns the number of blocks whose parts offset each other.

        In these blocks the curve both rises and falls by more than η for at least one target.
        """
        parts = [self.importance[start : stop + 1] for start, stop in _bounds(blocks)]
        return sum(bool((_offset(part) > self.tolerance).any()) for part in parts)

    def _halfway(self, start: int, stop: int) -> int:
        """Returns the split between two others at which the curve has covered half of its total variation."""
        moves = np.abs(np.diff(self.importance[start : stop + 1], axis=0)) / self._unit
        moved = np.cumsum(moves.max(axis=1))
        # Both parts get at least one event.
        return min(start + 1 + int(np.searchsorted(moved, moved[-1] / 2)), stop - 1)

    @property
    def _unit(self) -> NDArray[np.float64]:
        """η, kept above 0 so that it can divide."""
        return np.maximum(self.tolerance, np.finfo(np.float64).tiny)


def history(
    pruned: int, splits: NDArray[np.intp], curve: NDArray[np.float64], tolerance: NDArray[np.float64]
) -> History:
    """Builds the curve within P from the splits that were scanned.

    Args:
        pruned: The number of events in P.
        splits: The scanned splits, (k,).
        curve: w1 of these splits, (k, targets).
        tolerance: η, (targets,).
    """
    inside = splits <= pruned
    # The scan goes from the recent end, so splits are descending. No event at all is worth 0.
    known = np.append(splits[inside], 0)
    values = np.append(curve[inside], np.zeros((1, curve.shape[1])), axis=0)
    order = np.argsort(known)
    older = np.searchsorted(known[order], np.arange(pruned + 1), side="right") - 1
    return History(values[order][older], tolerance)


def _offset(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns by how much parts of a block offset each other: its largest rise or fall, if smaller, (targets,)."""
    rise = (curve - np.minimum.accumulate(curve)).max(axis=0)
    fall = (np.maximum.accumulate(curve) - curve).max(axis=0)
    return np.asarray(np.minimum(rise, fall))


def _bounds(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """Returns the splits at both ends of each block."""
    return list(pairwise(np.cumsum([0, *blocks]).tolist()))
