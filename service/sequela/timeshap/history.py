"""What the pruned events hide, and how they are split where they hide something (docs/design.md §4.3).

The cut looks at P as a whole. The scanned curve knows more: w1 at an older split i is what the i oldest events are
worth, so between two splits whose w1 differ by more than η lie events that matter, also where P as a whole does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The curve within P.

    importance: w1 of the i oldest events, (pruned + 1, targets); 0 for none of them. A split that was not scanned has
    the w1 of the next older one that was. tolerance: η, (targets,).
    """

    importance: NDArray[np.float64]
    tolerance: NDArray[np.float64]

    @property
    def peak(self) -> NDArray[np.float64]:
        """The largest |w1| of the scanned splits older than the cut, (targets,)."""
        return np.asarray(np.abs(self.importance[:-1]).max(axis=0, initial=0.0))

    def farthest(self, target: int) -> int:
        """The split older than the cut whose |w1| is the largest."""
        return int(np.abs(self.importance[:-1, target]).argmax())

    def ranges(self, blocks: Sequence[int]) -> NDArray[np.float64]:
        """How far the curve moves within each block, (blocks, targets). blocks: sizes from the oldest on."""
        parts = [self.importance[start : stop + 1] for start, stop in _bounds(blocks)]
        return np.array([part.max(axis=0) - part.min(axis=0) for part in parts]).reshape(len(parts), -1)

    def to_split(
        self, blocks: Sequence[int], attributions: NDArray[np.float64], errors: NDArray[np.float64]
    ) -> int | None:
        """The next block to split; None where no block of several events matters or hides something.

        attributions, errors: (blocks, targets). Of the blocks with |φ| + 2 se > η, or a curve that moves by more than
        η, for some target: the one where the larger of both is the most in units of η.
        """
        if not blocks:
            return None
        size, moved = np.abs(attributions), self.ranges(blocks)
        open_blocks = ((size + 2 * errors > self.tolerance) | (moved > self.tolerance)).any(axis=1)
        open_blocks &= np.asarray(blocks) > 1
        if not open_blocks.any():
            return None
        weight = (np.maximum(size, moved) / self._unit).max(axis=1)
        return int(np.argmax(np.where(open_blocks, weight, -1.0)))

    def split(self, blocks: Sequence[int], index: int) -> tuple[int, ...]:
        """Blocks with one of them split: where its curve has done half of its way, where that moves by more than η;
        else in half, an odd event going to the older part.
        """
        size = blocks[index]
        start = sum(blocks[:index])
        older = size - size // 2
        if (self.ranges(blocks)[index] > self.tolerance).any():
            older = self._halfway(start, start + size) - start
        return (*blocks[:index], older, size - older, *blocks[index + 1 :])

    def hiding(self, blocks: Sequence[int]) -> int:
        """How many blocks have parts that offset each other: their curve both rises and falls by more than η for some
        target.
        """
        parts = [self.importance[start : stop + 1] for start, stop in _bounds(blocks)]
        return sum(bool((_offset(part) > self.tolerance).any()) for part in parts)

    def _halfway(self, start: int, stop: int) -> int:
        """The split between two others where the curve has moved half as far as in all, up and down counted alike."""
        moves = np.abs(np.diff(self.importance[start : stop + 1], axis=0)) / self._unit
        way = np.cumsum(moves.max(axis=1))
        return min(start + 1 + int(np.searchsorted(way, way[-1] / 2)), stop - 1)

    @property
    def _unit(self) -> NDArray[np.float64]:
        return np.maximum(self.tolerance, np.finfo(np.float64).tiny)


def history(
    pruned: int, splits: NDArray[np.intp], curve: NDArray[np.float64], tolerance: NDArray[np.float64]
) -> History:
    """The curve within P, from what was scanned: splits (k,) and their w1 (k, targets)."""
    inside = splits <= pruned
    known = np.append(splits[inside], 0)
    values = np.append(curve[inside], np.zeros((1, curve.shape[1])), axis=0)
    order = np.argsort(known)
    older = np.searchsorted(known[order], np.arange(pruned + 1), side="right") - 1
    return History(values[order][older], tolerance)


def _offset(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """What parts of a block take back from each other, (targets,): the lesser of its curve's largest rise and fall."""
    rise = (curve - np.minimum.accumulate(curve)).max(axis=0)
    fall = (np.maximum.accumulate(curve) - curve).max(axis=0)
    return np.asarray(np.minimum(rise, fall))


def _bounds(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """The splits around each block."""
    return list(pairwise(np.cumsum([0, *blocks]).tolist()))
