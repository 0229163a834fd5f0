"""Which events and features are relevant enough to be opened into cells (TimeSHAP §3.3), and how sure that
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CELL_PLAYERS = 256
"""Past this many cell players the strongest events and features stay."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of a level's attributions that were chosen, strongest first, and how sure the choice is.

    uncertain: chosen rows whose |φ| is within two standard errors of the border. near_misses: rows not
    chosen, but within two standard errors of it. truncated: rows were dropped to bound the number of cell
    players.
    """

    chosen: tuple[int, ...]
    uncertain: frozenset[int] = frozenset()
    near_misses: tuple[int, ...] = ()
    truncated: bool = False


def above(
    attributions: NDArray[np.float64], errors: NDArray[np.float64], threshold: NDArray[np.float64]
) -> Selection:
    """The rows with |φ| > θ for some target. attributions, errors: (rows, targets); threshold: (targets,)."""
    size = np.abs(attributions)
    excess = (size - threshold).max(axis=1, initial=-np.inf)
    doubtful = (np.abs(size - threshold) <= 2 * errors) & (errors > 0)
    sure = ((size - 2 * errors) > threshold).any(axis=1)
    chosen = excess > 0
    uncertain = chosen & ~sure
    missed = ~chosen & doubtful.any(axis=1)
    return _selection(size, chosen, uncertain, missed)


def strongest(attributions: NDArray[np.float64], errors: NDArray[np.float64], count: int) -> Selection:
    """The `count` rows with the largest |φ| over targets; ties go to the first row."""
    size = np.abs(attributions)
    if not len(size):
        return Selection(())
    chosen = np.zeros(len(size), dtype=bool)
    chosen[np.argsort(-size.max(axis=1), kind="stable")[:count]] = True
    # Two standard errors up and down, for whichever target a row is strongest in.
    low, high = (size - 2 * errors).max(axis=1), (size + 2 * errors).max(axis=1)
    uncertain = chosen & (low < high[~chosen].max(initial=-np.inf))
    missed = ~chosen & (high > low[chosen].min(initial=np.inf))
    return _selection(size, chosen, uncertain, missed)


def bounded(
    events: Selection, features: Selection, extra: int, limit: int = MAX_CELL_PLAYERS
) -> tuple[Selection, Selection]:
    """Drops the weakest of the longer list until the cell game has at most `limit` players.

    The game has at most |F*||E*| + |F*| + |E*| + 2 players (TimeSHAP §3.3), and `extra` for static inputs.
    """
    e, f = len(events.chosen), len(features.chosen)
    while e * f + e + f + 2 + extra > limit:
        e, f = (e - 1, f) if e >= f else (e, f - 1)
    return _first(events, e), _first(features, f)


def _first(selection: Selection, count: int) -> Selection:
    if count == len(selection.chosen):
        return selection
    chosen = selection.chosen[:count]
    return Selection(chosen, selection.uncertain & set(chosen), selection.near_misses, truncated=True)


def _selection(
    size: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    uncertain: NDArray[np.bool_],
    missed: NDArray[np.bool_],
) -> Selection:
    peak = size.max(axis=1, initial=0.0)
    return Selection(
        chosen=_by_strength(np.flatnonzero(chosen), peak),
        uncertain=frozenset(np.flatnonzero(uncertain).tolist()),
        near_misses=_by_strength(np.flatnonzero(missed), peak),
    )


def _by_strength(rows: NDArray[np.intp], peak: NDArray[np.float64]) -> tuple[int, ...]:
    ordered: Sequence[int] = rows[np.argsort(-peak[rows], kind="stable")].tolist()
    return tuple(ordered)
