"""Perturbations: every cell is that of X if its owner is present, and else that of B, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import (
    Extent,
    Players,
    cell_players,
    event_players,
    full_feature_players,
    one_player,
    unpruned_feature_players,
)

LENGTH, FEATURES = 9, 5


def inputs(width: int, seed: int) -> Cells:
    """Numbers with NaN, infinities and negative zeros; ids; and a static input."""
    rng = np.random.default_rng(seed)
    odd = np.array([np.nan, np.inf, -0.0, 0.0, 1.5], dtype=np.float32)
    return Cells(
        (rng.choice(odd, size=(LENGTH, width)), rng.integers(-9, 9, size=(LENGTH, 2))),
        (rng.normal(size=3),),
    )


def games() -> list[Players]:
    extent = Extent(LENGTH, FEATURES, 1)
    return [
        one_player(extent),
        event_players(extent, (4,)),
        full_feature_players(extent),
        unpruned_feature_players(extent, 6),
        cell_players(extent, 3, [-2, 0], [1, 4]),
    ]


def chosen(present: NDArray[np.bool_], owners: Any, x: NDArray[Any], b: NDArray[Any]) -> bytes:
    return np.where(present[owners], x, b).tobytes()


@pytest.mark.parametrize("width", [1, 5, 40])
def test_every_cell_is_from_x_or_from_b(width: int) -> None:
    """Inputs of few and of many columns; windows of events; rows in any order."""
    x, b = inputs(width, 1), inputs(width, 2)
    features = np.arange(width) % FEATURES
    masker = Masker(x, b, Columns((features, np.array([3, 3])), FEATURES, 1))
    for players in games():
        coalitions = np.random.default_rng(3).random((30, len(players))) < 0.5
        rows = np.random.default_rng(4).permutation(30)[:11]
        for window in (slice(0, LENGTH), slice(2, 7), slice(8, 9)):
            found = masker.over(players, window.start, window.stop).apply(coalitions, rows)
            for place, row in enumerate(rows):
                present = coalitions[row]
                for j, columns in enumerate(masker.columns.events):
                    owners = players.grid[window][:, columns]
                    expected = chosen(present, owners, x.events[j][window], b.events[j][window])
                    assert found.events[j][place].tobytes() == expected
                assert found.static[0][place].tobytes() == chosen(
                    present, players.static[0], x.static[0], b.static[0]
                )
