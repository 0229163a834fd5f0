"""Draws the pruning curve: what the older and the recent events contribute, for each split of the sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sequela_client.explanation_parts import PruningPoint
from sequela_client.phrases import Phrases
from sequela_client.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sequela_client.explanation import Explanation

# With more points than this, the line has no markers, which would cover it.
_MARKED = 80


def draw_pruning(axes: Axes, explanation: Explanation, limit: int | None, unit: str) -> None:
    """Draws both curves of the first target, the tolerance and the cut (TimeSHAP, Fig. 5a and 5d).

    Args:
        axes: the axes to draw into.
        explanation: the explanation.
        limit: how many of the latest splits are drawn; None: all that were scanned.
        unit: what the attributions are, for the label of the axis.
    """
    points = explanation.pruning.curve[:limit]
    if not points:
        style.message(axes, "No events were pruned and no pruning curve was computed.")
        return
    whole = explanation.score - explanation.base_value
    _curves(axes, points, whole)
    _tolerance(axes, explanation)
    _cut(axes, explanation, points)
    axes.axhline(0, color=style.INK, linewidth=0.9)
    axes.margins(x=0.03, y=0.14)
    axes.set_xlabel(
        f"t, where the sequence is split (0 is the latest event){_left_out(explanation, len(points))}"
    )
    axes.set_ylabel(unit)
    style.attribution_axis(axes.yaxis, 6)
    style.event_axis(axes.xaxis)
    axes.grid(axis="y", color=style.FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    style.legend_above(axes)


def _curves(axes: Axes, points: Sequence[PruningPoint], whole: float) -> None:
    t, older = [point.t for point in points], [point.importance for point in points]
    few = len(points) <= _MARKED
    axes.plot(
        t,
        older,
        color=style.WARM,
        marker="o" if few else "",
        markersize=3.5,
        linewidth=1.6,
        label="events up to t (older)",
    )
    # The two importances are the Shapley values of a game of two players, so they add up to the whole difference.
    axes.plot(
        t,
        [whole - value for value in older],
        color=style.NEUTRAL,
        linestyle="--",
        marker="s" if few else "",
        markersize=3,
        linewidth=1.3,
        label="events after t (recent)",
    )


def _tolerance(axes: Axes, explanation: Explanation) -> None:
    tolerance = explanation.pruning.tolerance
    if tolerance:
        label = f"within the tolerance, ± {tolerance:.3g}"
        axes.axhspan(-tolerance, tolerance, color=style.COOL, alpha=0.16, linewidth=0, label=label)


def _cut(axes: Axes, explanation: Explanation, points: Sequence[PruningPoint]) -> None:
    """Draws a line between the pruned events and the others, with the numbers of both."""
    pruned = explanation.pruning.pruned_events
    if not pruned:
        return
    latest_pruned = pruned - explanation.length
    label = f"cut: {pruned} pruned, {explanation.length - pruned} kept"
    if latest_pruned + 0.5 < points[-1].t - 0.5:
        axes.plot([], [], " ", label=f"{label} (further left)")
        return
    axes.axvline(latest_pruned + 0.5, color=style.INK, linestyle=":", linewidth=1.4, label=label)
    value = next((point.importance for point in points if point.t == latest_pruned), None)
    if value is not None:
        axes.annotate(
            f"t={latest_pruned}: {Phrases(explanation).signed(value)}",
            (latest_pruned, value),
            xytext=(-6, 14),
            textcoords="offset points",
            ha="right",
            arrowprops={"arrowstyle": "-", "color": style.INK, "linewidth": 0.7},
        )


def _left_out(explanation: Explanation, drawn: int) -> str:
    """Says what the axis does not show: splits beyond the limit, and events that were not scanned."""
    scanned = len(explanation.pruning.curve)
    if drawn < scanned:
        return f"\nthe latest {drawn} of {scanned} splits; limit=None shows all"
    oldest = explanation.pruning.curve[-1].t
    return (
        f"\nscanned back to t={oldest} of t={1 - explanation.length}"
        if oldest > 2 - explanation.length
        else ""
    )
