"""Selects the relevant events and features for the cell level, and says how certain that is (TimeSHAP §3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CELL_PLAYERS = 256
"""The largest number of players of the cell level. If there are more, the weakest events and features are dropped."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The relevant players of a level, as rows of its attributions.

    Attributes:
        chosen: The relevant rows, strongest first.
        uncertain: Chosen rows that are within two standard errors of the threshold.
        near_misses: Rows that were not chosen but are within two standard errors of the threshold, strongest first.
        truncated: Whether rows were dropped to limit the number of cell players.
    """

    chosen: tuple[int, ...]
    uncertain: frozenset[int] = frozenset()
    near_misses: tuple[int, ...] = ()
    truncated: bool = False


def above(
    attributions: NDArray[np.float64], errors: NDArray[np.float64], threshold: NDArray[np.float64]
) -> Selection:
    """Chooses the rows with |φ| > θ for at least one target.

    Args:
        attributions: φ, (rows, targets).
        errors: The standard errors of φ, (rows, targets).
        threshold: θ, (targets,).
    """
    size = np.abs(attributions)
    # One target is enough: a player that matters for any of them is relevant.
    excess = (size - threshold).max(axis=1, initial=-np.inf)
    # An error of 0 means that φ is exact, so such a row is never close to the threshold.
    near = (np.abs(size - threshold) <= 2 * errors) & (errors > 0)
    sure = ((size - 2 * errors) > threshold).any(axis=1)
    chosen = excess > 0
    uncertain = chosen & ~sure
    missed = ~chosen & near.any(axis=1)
    return _selection(size, chosen, uncertain, missed)


def strongest(attributions: NDArray[np.float64], errors: NDArray[np.float64], count: int) -> Selection:
    """Chooses the `count` rows with the largest |φ| over targets. Ties go to the first row. Arguments as in `above`."""
    size = np.abs(attributions)
    if not len(size):
        return Selection(())
    chosen = np.zeros(len(size), dtype=bool)
    chosen[np.argsort(-size.max(axis=1), kind="stable")[:count]] = True
    # A row is uncertain if its lower bound is below the upper bound of a row that was not chosen, over all targets.
    low, high = (size - 2 * errors).max(axis=1), (size + 2 * errors).max(axis=1)
    uncertain = chosen & (low < high[~chosen].max(initial=-np.inf))
    missed = ~chosen & (high > low[chosen].min(initial=np.inf))
    return _selection(size, chosen, uncertain, missed)


def limit_players(
    events: Selection, features: Selection, extra: int, limit: int = MAX_CELL_PLAYERS
) -> tuple[Selection, Selection]:
    """Drops the weakest entry of the longer list until the cell level has at most `limit` players.

    It has up to |F*||E*| + |F*| + |E*| + 2 players (TimeSHAP §3.3), plus `extra` players for static inputs.
    """
    e, f = len(events.chosen), len(features.chosen)
    # The longer list loses its weakest entry, which removes fewer cells than one of the shorter list would.
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
