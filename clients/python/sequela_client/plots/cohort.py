"""Draws the reports on events, features, pruning and first positive predictions.

Each function takes the Tables of the report of the same name, and returns a matplotlib Figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sequela_client.attributions import NORMAL_95
from sequela_client.extras import require
from sequela_client.plots.density import Strips, with_gaps
from sequela_client.plots.rows import column, row_labels, short, with_error
from sequela_client.plots.style import (
    EXTRA,
    FAINT,
    FONT_SIZE,
    INK,
    NEUTRAL,
    WIDTH,
    attribution_axis,
    empty_axes,
    empty_figure,
    figure_of,
    message,
    styled,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The figure shows at most this many features. The table beside it has all.
MOST_FEATURES = 25
# If there are more indices than this, only the means of the latest ones and of every fifth are printed.
MOST_PRINTED = 22
# If there are more indices than this, the texts above them are turned by 90 degrees.
MOST_UPRIGHT = 12
# The largest number of bars in the figure of first positive predictions.
MOST_BARS = 60


def nothing(text: str) -> Figure:
    """Returns a figure with a sentence that says why there is nothing to draw."""
    with styled():
        axes = empty_axes(WIDTH, 1.2)
        message(axes, text)
        return figure_of(axes)


def event_distribution(table: Any, density: Any) -> Figure:
    """Draws attributions by index of the event with means, and below the share of sequences with a value there."""
    if not table.num_rows:
        return nothing("No sequence was explained.")
    t = column(table, "t").astype(int)
    order = list(range(int(t.min()), 1))
    strips = Strips.of(density, "t", order)
    with styled():
        figure = empty_figure(WIDTH, 4.6)
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        extent = (order[0] - 0.5, 0.5, strips.low, strips.high)
        image = with_gaps(strips.image)
        top.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="none", zorder=2)
        top.set_ylim(*_with_margin(strips))
        top.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
        _draw_means(top, t, table)
        attribution_axis(top.yaxis)
        top.set_ylabel("attribution")
        few = len(order) <= MOST_UPRIGHT
        top.set_title(f"Attributions by event, {_number(table)} sequences", pad=44 if not few else 30)
        _draw_shares(below, t, table)
        return figure


def _with_margin(strips: Strips) -> tuple[float, float]:
    """Returns the ends of an axis, with some room between the outermost bins and the frame."""
    margin = 0.02 * (strips.high - strips.low)
    return strips.low - margin, strips.high + margin


def _draw_means(axes: Axes, t: Any, table: Any) -> None:
    mean, error = column(table, "mean"), column(table, "standard_error")
    few = len(t) <= MOST_UPRIGHT
    axes.errorbar(
        *(t, mean),
        yerr=NORMAL_95 * np.nan_to_num(error),
        fmt="o",
        color=INK,
        markerfacecolor="white",
        markersize=4.5,
        linewidth=1.0,
        zorder=3,
        label="mean and its 95 % interval over sequences",
    )
    for place, value in zip(t, mean, strict=True):
        if len(t) <= MOST_PRINTED or place > -10 or place % 5 == 0:
            axes.annotate(
                f"{value:+.2f}" if round(value, 2) else "0.00",
                (place, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                rotation=0 if few else 90,
                ha="center",
                va="bottom",
                fontsize=FONT_SIZE - 1,
            )
    axes.annotate("mean ", (0, 1), xycoords="axes fraction", ha="right", va="bottom", fontsize=FONT_SIZE - 1)
    # Above the axes, where it covers no strip.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1.1 if few else 1.18), handlelength=1.2, borderaxespad=0
    )


def _draw_shares(axes: Axes, t: Any, table: Any) -> None:
    axes.bar(t, 100 * column(table, "share"), color=FAINT, edgecolor=NEUTRAL, linewidth=0.5, width=0.9)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100])
    if len(t) <= MOST_UPRIGHT:
        for place, n, share in zip(t, table["n"].to_pylist(), column(table, "share"), strict=True):
            inside = share > 0.6
            height = 50 if inside else 100 * share + 4
            axes.text(
                place,
                height,
                f"n = {n:,}",
                ha="center",
                va="center" if inside else "bottom",
                fontsize=FONT_SIZE - 1,
            )
    axes.set_ylabel("% not\npruned")
    axes.set_xlabel("index of the event t (0 is the explained event, −1 the one before)")
    axes.xaxis.set_major_locator(
        require("matplotlib.ticker", EXTRA).MaxNLocator(10, integer=True, min_n_ticks=1)
    )


def feature_distribution(table: Any, density: Any, labels: dict[str, str] | None = None) -> Figure:
    """Draws attributions by feature with means, the largest |mean| first.

    Args:
        table: of the report.
        density: of the report.
        labels: the labels of the features by name. A feature without one is shown by its name.
    """
    if not table.num_rows:
        return nothing("No sequence was explained.")
    shown = table.slice(0, MOST_FEATURES)
    names = shown["feature"].to_pylist()
    strips = Strips.of(density, "feature", names)
    with styled():
        texts = [short((labels or {}).get(name, name)) for name in names]
        axes = empty_axes(WIDTH, 1.4 + sum(0.16 + 0.18 * len(each.split("\n")) for each in texts))
        extent = (strips.low, strips.high, len(names) - 0.5, -0.5)
        # The image has strips as columns. Features are rows, with the first on top.
        image = np.swapaxes(with_gaps(strips.image), 0, 1)
        axes.imshow(image, extent=extent, origin="upper", aspect="auto", interpolation="none", zorder=2)
        axes.set_xlim(*_with_margin(strips))
        _draw_feature_means(axes, shown)
        row_labels(axes, texts)
        attribution_axis(axes.xaxis, 7)
        axes.set_xlabel("attribution")
        axes.set_title(_features_title(table), pad=22)
        return figure_of(axes)


def _features_title(table: Any) -> str:
    count = table.num_rows
    more = f" (the first {MOST_FEATURES} of {count})" if count > MOST_FEATURES else ""
    return f"Attributions by feature, {_number(table)} sequences{more}"


def _number(table: Any) -> str:
    """Returns the number of sequences: that of the index or feature that most of them have."""
    return f"{max(table['n'].to_pylist()):,}"


def _draw_feature_means(axes: Axes, table: Any) -> None:
    mean, error = column(table, "mean"), NORMAL_95 * np.nan_to_num(column(table, "standard_error"))
    places = np.arange(len(mean))
    axes.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=1)
    axes.errorbar(
        *(mean, places),
        xerr=error,
        fmt="o",
        color=INK,
        markerfacecolor="white",
        markersize=5,
        linewidth=1.0,
        zorder=3,
    )
    for place, value, half in zip(places, mean, error, strict=True):
        axes.annotate(
            with_error(value, half),
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=FONT_SIZE - 1,
        )
    axes.annotate(
        "mean, 95 %",
        (1, 1),
        xycoords="axes fraction",
        xytext=(6, 4),
        textcoords="offset points",
        va="bottom",
        fontsize=FONT_SIZE - 1,
        color=NEUTRAL,
    )


def pruning_table(table: Any) -> Figure:
    """Draws lengths, the share that can be computed exactly, and the RSD by tolerance, beside the paper's Table 1."""
    names = ["none" if each is None else f"{each:g}" for each in table["tolerance"].to_pylist()]
    places = np.arange(len(names))
    with styled():
        figure = empty_figure(WIDTH, 3.2)
        lengths, shares, deviations = figure.subplots(1, 3)
        for name, marker in (("mean_length", "o"), ("median_length", "s"), ("max_length", "^")):
            _draw_line(lengths, places, column(table, name), column(table, f"paper_{name}"), marker)
        lengths.set_yscale("log")
        lengths.yaxis.set_major_formatter(
            require("matplotlib.ticker", EXTRA).FuncFormatter(lambda v, _: f"{v:g}")
        )
        lengths.set_title("Events left")
        _draw_line(
            shares, places, 100 * column(table, "exact_share"), 100 * column(table, "paper_exact_share"), "o"
        )
        shares.set_ylim(0, 105)
        shares.set_title("Exactly computable, %")
        _draw_line(deviations, places, column(table, "rsd"), column(table, "paper_rsd"), "o")
        deviations.set_ylim(bottom=0)
        deviations.set_title("RSD over seeds, σ/|μ|")
        if not np.isfinite(column(table, "rsd")).any():
            deviations.text(
                0.5,
                0.04,
                "ours needs several seeds\nand one of these tolerances",
                ha="center",
                transform=deviations.transAxes,
            )
        for axes in (lengths, shares, deviations):
            axes.set_xticks(places, names, rotation=45)
            axes.set_xlabel("pruning tolerance η")
        _draw_key(figure)
        return figure


def _draw_line(axes: Axes, places: Any, ours: Any, paper: Any, marker: str) -> None:
    axes.plot(places, ours, marker=marker, color=INK, markersize=5, linewidth=1.3, zorder=3)
    axes.plot(
        *(places, paper),
        marker=marker,
        color=NEUTRAL,
        markerfacecolor="white",
        markersize=5,
        linewidth=1.0,
        linestyle="--",
        zorder=2,
    )


def _draw_key(figure: Figure) -> None:
    line = require("matplotlib.lines", EXTRA).Line2D
    solid = {"color": INK, "linewidth": 1.3}
    handles = [
        line([], [], **solid, marker="o"),
        line([], [], **solid, marker="s"),
        line([], [], **solid, marker="^"),
        line([], [], color=NEUTRAL, marker="o", markerfacecolor="white", linestyle="--"),
    ]
    texts = ["this cohort (mean)", "median", "maximum", "the paper's Table 1 (same marks)"]
    figure.legend(handles, texts, loc="outside lower center", ncols=4)


def first_positive(table: Any) -> Figure:
    """Draws the number of sequences by the index of their first positive prediction in the full sequence."""
    rows = [row for row in table.select(["t", "n"]).to_pylist() if row["t"] is not None]
    none = sum(row["n"] for row in table.select(["t", "n"]).to_pylist() if row["t"] is None)
    if not rows:
        return nothing("No sequence has a positive prediction.")
    t, n = np.array([row["t"] for row in rows]), np.array([row["n"] for row in rows])
    width = -(-(1 - int(t.min())) // MOST_BARS)
    with styled():
        figure = empty_figure(WIDTH, 3.0)
        # Wide bins would hide differences between the latest events, so those have a panel of their own.
        ratios = [3, 2] if width > 1 else [1]
        all_axes, *zoom = figure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
        _draw_bins(all_axes, t, n, width)
        for axes in zoom:
            _draw_latest(axes, t, n)
            all_axes.set_title("All events")
        return titled(figure, f"First positive predictions; {none:,} sequences have none")


def _draw_bins(axes: Axes, t: Any, n: Any, width: int) -> None:
    """Draws bins of equal width, from the latest event back."""
    sums = np.bincount(-t // width, weights=n)
    places = -width * np.arange(len(sums)) - (width - 1) / 2
    axes.bar(places, sums, width=0.9 * width, color=NEUTRAL)
    axes.set_xlabel("index in the full sequence (0 is its last event)")
    axes.set_ylabel("sequences" if width == 1 else f"sequences in {width} events")
    _whole_numbers(axes)


def _draw_latest(axes: Axes, t: Any, n: Any) -> None:
    """Draws the latest indices one by one. In the panel beside, they share one or two bins."""
    chosen = t > -MOST_UPRIGHT
    axes.bar(t[chosen], n[chosen], width=0.9, color=NEUTRAL)
    for place, number in zip(t[chosen], n[chosen], strict=True):
        axes.text(place, number, f"{number:,}", ha="center", va="bottom", fontsize=FONT_SIZE - 1)
    axes.set_xlim(0.5 - MOST_UPRIGHT, 0.6)
    axes.set_title(f"The latest {MOST_UPRIGHT} events")
    axes.set_xlabel("index")
    _whole_numbers(axes)


def _whole_numbers(axes: Axes) -> None:
    locators = require("matplotlib.ticker", EXTRA)
    axes.xaxis.set_major_locator(locators.MaxNLocator(8, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(locators.MaxNLocator(6, integer=True, min_n_ticks=1))
