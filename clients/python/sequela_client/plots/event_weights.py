"""Draws a model's own weights of events beside their correlation with the attributions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from sequela_client.attributions import NORMAL_95
from sequela_client.plots.cohort import nothing
from sequela_client.plots.rows import column, short, with_error
from sequela_client.plots.style import (
    COOL,
    FONT_SIZE,
    INK,
    NEUTRAL,
    WARM,
    WIDTH,
    empty_figure,
    event_axis,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The figure shows at most this many variants. The table has all.
MOST_VARIANTS = 6
# Variants have different markers and lines, so that they can be told apart without colours.
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": NEUTRAL, "marker": "o", "linestyle": ":"},
    {"color": COOL, "marker": "s", "linestyle": "--"},
    {"color": WARM, "marker": "^", "linestyle": "-"},
    {"color": INK, "marker": "D", "linestyle": "-."},
)


def event_weights(table: Any, agreement: Any) -> Figure:
    """Draws mean weights by index of the event for each variant, and below their correlation with |attribution|.

    Args:
        table: of the report `event_weights`.
        agreement: of the report `event_weight_agreement`; its means stand in the key.
    """
    if not table.num_rows:
        return nothing("No sequence was explained.")
    names = list(dict.fromkeys(table["variant"].to_pylist()))
    shown = names[:MOST_VARIANTS]
    keys = {row["variant"]: _key(row) for row in agreement.to_pylist()}
    with styled():
        figure = empty_figure(WIDTH, 5.0 + 0.17 * len(shown))
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        for name, look in zip(shown, cycle(_LOOKS), strict=False):
            chosen = table.filter([each == name for each in table["variant"].to_pylist()])
            half = NORMAL_95 * np.nan_to_num(column(chosen, "standard_error"))
            _draw(top, chosen, "mean", half, look, keys[name])
            _draw(below, chosen, "correlation", None, look, "")
        _finish(top, below, names, shown)
        return figure


def _key(row: dict[str, Any]) -> str:
    name = short(row["variant"]).replace("\n", " ") if row["variant"] else "all sequences"
    if row["mean"] is None:
        return f"{name} (no correlation within sequences)"
    half = NORMAL_95 * (row["standard_error"] or 0.0)
    return f"{name} (correlation within sequences {with_error(row['mean'], half)})"


def _draw(axes: Axes, table: Any, name: str, error: Any, look: dict[str, Any], key: str) -> None:
    t = column(table, "t")
    axes.errorbar(
        t, column(table, name), yerr=error, markersize=4.5, linewidth=1.2, label=key or None, **look
    )


def _finish(top: Axes, below: Axes, names: Sequence[str], shown: Sequence[str]) -> None:
    more = f" (the first {len(shown)} of {len(names)} variants)" if len(names) > len(shown) else ""
    top.set_title(f"The model's own weights of events, means and 95 %{more}")
    top.set_ylabel("mean weight")
    top.set_ylim(bottom=min(0.0, top.get_ylim()[0]))
    below.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    below.set_ylim(-1.05, 1.05)
    below.set_ylabel("correlation with\n|attribution|")
    below.set_xlabel("index of the event t (0 is the explained event, −1 the one before)")
    event_axis(below.xaxis)
    # The legend is below the axes, where it covers nothing.
    top.get_figure(root=True).legend(loc="outside lower left", fontsize=FONT_SIZE - 1)  # type: ignore[union-attr]
