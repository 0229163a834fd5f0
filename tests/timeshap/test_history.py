"""What the curve within the pruned events says: verdicts, and where blocks are split; on curves worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sequela.timeshap.history import History, history
from sequela.timeshap.pruning import Verdict, verdict

ETA = 0.1


def of(*worth: float, eta: float = ETA) -> History:
    """From w1 of the i oldest events, i = 1 …"""
    splits = np.arange(len(worth), 0, -1)
    return history(len(worth), splits, np.array(worth)[::-1, None], np.array([eta]))


def unsure(*sizes: float) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(sizes)[:, None]
    return values, np.zeros_like(values)


@pytest.mark.parametrize(
    ("attribution", "error", "peak", "wanted"),
    [
        (0.05, 0.0, 0.09, Verdict.WITHIN),
        (0.05, 0.0, 0.11, Verdict.OFFSETTING),
        (0.05, 0.03, 0.0, Verdict.UNCERTAIN),
        (0.05, 0.03, 0.11, Verdict.OFFSETTING),
        (-0.2, 0.03, 0.0, Verdict.EXCEEDS),
        (-0.2, 0.03, 0.5, Verdict.EXCEEDS),
        (-0.2, 0.06, 0.5, Verdict.OFFSETTING),
        (0.1, 0.0, 0.1, Verdict.WITHIN),
    ],
)
def test_verdicts(attribution: float, error: float, peak: float, wanted: Verdict) -> None:
    """What is sure of the block as a whole first, then the curve, which has no error; η itself is within."""
    assert verdict(attribution, error, ETA, peak) is wanted


def test_what_lies_within_the_cut_counts_and_the_cut_does_not() -> None:
    """The peak is that of splits older than the cut, whatever its sign; it is named by its split."""
    found = of(0.02, -0.3, 0.2, 0.05)
    assert found.peak == [0.3]
    assert found.farthest(0) == 2
    assert of(0.05).peak == [0.0]


def test_a_curve_that_ended_early_holds_what_is_known() -> None:
    """Splits 3 and 4 of 5 were scanned: older ones are taken for worth nothing, later ones are not within the block."""
    found = history(4, np.array([5, 4, 3]), np.array([[9.0], [0.3], [0.2]]), np.array([ETA]))
    assert found.importance[:, 0].tolist() == [0, 0, 0, 0.2, 0.3]
    assert found.peak == [0.2]


@pytest.mark.parametrize(
    ("worth", "blocks"),
    [
        ((0, 0, 0, 0.5, 0.5, 0.5), (4, 2)),  # one step: behind it …
        ((0, 0, 0, 0.5), (3, 1)),  # … and then before it
        ((0.1, 0.3, 0.5, 0.3, 0.1, 0.0), (3, 3)),  # a hump: at its top
        ((0.4, 0.8, 0.4, 0.0), (2, 2)),
        ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), (4, 4)),  # a slope
        ((0.0, 0.02, 0.0, 0.02, 0.0), (3, 2)),  # flat: in half, an odd event to the older part
        ((0.0, 0.0, 0.0, 0.0, 0.3, -0.3, 0.0), (6, 1)),
    ],
)
def test_a_block_is_split_where_its_curve_has_done_half_of_its_way(
    worth: tuple[float, ...], blocks: tuple[int, ...]
) -> None:
    """Up and down counted alike; in half where it hardly moves."""
    assert of(*worth).split((len(worth),), 0) == blocks


def test_the_block_that_matters_or_hides_most_is_split_first() -> None:
    """By |φ| or by how far the curve moves within it; blocks of one event, and what is within η, are left alone."""
    curve = of(0.0, 0.0, 0.05, 0.3, 0.05, 0.0)  # as blocks of 2, 3 and 1: moves 0, 0.3 and 0.05
    assert curve.ranges((2, 3, 1))[:, 0] == pytest.approx([0, 0.3, 0.05])
    assert curve.to_split((2, 3, 1), *unsure(0.09, 0.0, 0.9)) == 1
    assert curve.to_split((2, 3, 1), *unsure(0.4, 0.0, 0.9)) == 0
    assert curve.to_split((2, 1, 1, 2), *unsure(0.09, 0.5, 0.5, 0.0)) == 3
    assert of(0.0, 0.05, 0.0).to_split((3,), *unsure(0.1)) is None
    assert of(0.0, 0.05, 0.0).to_split((3,), np.array([[0.05]]), np.array([[0.03]])) == 0


def test_every_target_counts_in_its_own_tolerance() -> None:
    """A target with a small η opens a block that another target, on a larger scale, does not."""
    curve = np.array([[0.0, 0.0], [10.0, 0.05], [0.0, 0.0], [0.0, 0.0]])
    found = History(curve, np.array([100.0, 0.01]))
    values = np.zeros((1, 2))
    assert found.peak.tolist() == [10.0, 0.05]
    assert found.to_split((3,), values, values) == 0
    assert found.split((3,), 0) == (1, 2)


def test_blocks_that_still_hide_something_are_counted() -> None:
    """A block whose curve only rises hides nothing, however much it is worth; a single event cannot."""
    curve = of(0.2, 0.5, 0.8, 0.3, 0.8, 0.8)
    assert curve.offsetting_blocks((6,)) == 1
    assert curve.offsetting_blocks((3, 3)) == 1
    assert curve.offsetting_blocks((3, 1, 2)) == 0
    assert curve.offsetting_blocks(()) == 0
