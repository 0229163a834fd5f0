"""Figures show the numbers of the explanation, all of them, and cut nothing off. Read back from what was drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from client.made_explanations import ALERTS, demo_alerts, large, scaled, with_level
from matplotlib import _pylab_helpers
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from sequela_client import Attribution, CallerError, Explanation, PlayerKind, Sequela
from sequela_client.plots import style

FIGURES = ("pruning", "events", "features", "cells")


def axes_of(figure: Figure) -> Axes:
    return figure.axes[0]


def bars(figure: Figure) -> list[float]:
    """The lengths of all bars from top to bottom, with their signs."""
    drawn = [patch for patch in axes_of(figure).patches if isinstance(patch, Rectangle)]
    return [patch.get_x() + patch.get_width() if patch.get_x() == 0 else patch.get_x() for patch in drawn]


def error_bars(figure: Figure) -> list[tuple[float, float]]:
    """Where all error bars begin and end."""
    (lines,) = [each for each in axes_of(figure).collections if isinstance(each, LineCollection)]
    return [(float(segment[0][0]), float(segment[-1][0])) for segment in lines.get_segments()]


def texts(figure: Figure) -> list[str]:
    """All texts, in one line each."""
    figure.draw_without_rendering()
    return [" ".join(text.get_text().split()) for text in figure.findobj(Text) if text.get_text()]


def check_nothing_is_cut_off(figure: Figure) -> None:
    """Every text, and all that belongs to the axes, lies within the figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    assert figure.get_suptitle()
    whole = figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)
    drawn = [*(axes.get_tightbbox(renderer) for axes in figure.axes), whole]
    for box in drawn:
        assert box is not None
        assert min(box.x0, box.y0) >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


@pytest.fixture(
    params=[pytest.param(name, marks=() if name == "takeover-20" else pytest.mark.slow) for name in ALERTS]
)
def alert(request: pytest.FixtureRequest) -> Explanation:
    return demo_alerts()[request.param]


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off(alert: Explanation, name: str) -> None:
    """Neither a label nor a number."""
    check_nothing_is_cut_off(getattr(alert.plot, name)())


def test_events(alert: Explanation) -> None:
    """A bar for each, latest first, then the pruned ones; error bars are one standard error long on each side."""
    figure = alert.plot.events()
    items = [*alert.events, alert.pruned]
    assert bars(figure) == pytest.approx([item.value for item in items if item])
    labels = [text.get_text() for text in axes_of(figure).get_yticklabels()]
    assert [label.split()[0] for label in labels[:-1]] == [f"t={-at}" for at in range(len(alert.events))]
    assert labels[-1] == f"older events, t={1 - alert.length}…{alert.pruning.pruned_events - alert.length}"
    # The caller's words about the event, in one line.
    kinds = {event.t: event.info.display["event_type"] for event in alert.event_values}
    for event, label in zip(alert.events, labels, strict=False):
        assert label.split("\n")[1].startswith(kinds[event.t or 0])


def test_features(alert: Explanation) -> None:
    """By strength, each with its value, then the pruned events; errors as in the explanation."""
    figure = alert.plot.features()
    items = sorted(alert.features.values(), key=lambda item: -abs(item.value))
    assert alert.feature_level
    items += alert.feature_level.of(PlayerKind.PRUNED)
    assert bars(figure) == pytest.approx([item.value for item in items])
    wanted = [
        (item.value - 1.96 * item.standard_error, item.value + 1.96 * item.standard_error)
        for item in items
        if item.standard_error
    ]
    assert np.array(error_bars(figure)) == pytest.approx(np.array(wanted))
    labels = [" ".join(text.get_text().split()) for text in axes_of(figure).get_yticklabels()]
    names = {feature.name: feature.label for feature in alert.feature_info}
    for label, item in zip(labels, items[:-1], strict=False):
        assert label.startswith(names[item.feature or ""])
    (t,) = {item.t for item in alert.cells if item.feature == "device" and item.t == 0}
    assert any(f"another enrolled (t={t})" in label for label in labels)
    numbers = [text.get_text() for text in axes_of(figure).texts]
    assert [number.split()[0] for number in numbers] == [f"{item.value:+z.3f}" for item in items]


def test_cells(alert: Explanation) -> None:
    """Every attribution has a cell of its own with its number, in its row and column; groups beside the cells."""
    figure = alert.plot.cells()
    axes = axes_of(figure)
    columns = [" ".join(text.get_text().split()) for text in axes.get_xticklabels()]
    rows = [" ".join(text.get_text().split()) for text in axes.get_yticklabels()]
    names = {feature.name: feature.label for feature in alert.feature_info}
    found: dict[tuple[str, str], str] = {}
    for patch, text in zip(axes.patches, axes.texts, strict=True):
        assert isinstance(patch, Rectangle)
        column = columns[round(patch.get_x())]
        row = rows[round(patch.get_y())] if patch.get_height() == 1 else ""
        assert (column, row) not in found
        found[column, row] = text.get_text()
    assert len(found) == len(alert.cells)
    for item in alert.cells:
        column = {
            PlayerKind.PRUNED: "older events",
            PlayerKind.FEATURE_REST: "other events",
            PlayerKind.OTHER: "other events",
        }.get(item.kind, f"t={item.t}")
        row = "" if item.kind is PlayerKind.PRUNED else names.get(item.feature or "", "other features")
        (text,) = [
            text for (at, name), text in found.items() if at.split(" 2")[0].startswith(column) and name == row
        ]
        assert text.split()[0] == f"{item.value:+z.3f}"
        assert ("±" in text) == bool(item.standard_error)


def test_long_names_of_cells_do_not_overlap(alert: Explanation) -> None:
    """The rows are higher then, and every name is whole."""
    infos = tuple(replace(each, label=f"{each.name} {'of many words ' * 6}") for each in alert.feature_info)
    figure = replace(alert, feature_info=infos).plot.cells()
    check_nothing_is_cut_off(figure)
    labels = [each for each in axes_of(figure).get_yticklabels() if each.get_text()]
    boxes = sorted((each.get_window_extent() for each in labels), key=lambda box: -box.y1)
    assert len(boxes) > 2
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
    assert all(each.get_text().endswith("words") for each in labels if "\n" in each.get_text())


def test_warm_raises_and_cool_lowers(alert: Explanation) -> None:
    """In bars and in cells; a bar that lowers also has a pattern, for readers without colour."""
    red, _, blue = to_rgb(style.WARM)
    assert red > blue
    red, _, blue = to_rgb(style.COOL)
    assert blue > red
    figure = alert.plot.features()
    for patch, length in zip(axes_of(figure).patches, bars(figure), strict=True):
        assert patch.get_facecolor()[:3] == to_rgb(style.WARM if length >= 0 else style.COOL)
        assert length >= 0 or patch.get_hatch()
    cells = axes_of(alert.plot.cells())
    for patch, text in zip(cells.patches, cells.texts, strict=True):
        red, _, blue, _ = patch.get_facecolor()
        strength = float(text.get_text().split()[0])
        assert abs(strength) < 0.02 or (red > blue) == (strength > 0)


@pytest.mark.parametrize("limit", [50, 10, None])
def test_pruning(alert: Explanation, limit: int | None) -> None:
    """Both curves add up to the difference; the cut and the tolerance stand where the explanation has them."""
    axes = axes_of(alert.plot.pruning(limit=limit))
    older, recent = (line for line in axes.lines[:2])
    points = alert.pruning.curve[:limit]
    assert list(older.get_xdata()) == [point.t for point in points]
    assert list(older.get_ydata()) == [point.importance for point in points]
    sums = np.add(older.get_ydata(), recent.get_ydata())
    assert sums == pytest.approx(np.full(len(points), alert.score - alert.base_value))
    latest_pruned = alert.pruning.pruned_events - alert.length
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [
        latest_pruned + 0.5
    ]
    (band,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    tolerance = alert.pruning.tolerance or 0.0
    assert (band.get_y(), band.get_height()) == pytest.approx((-tolerance, 2 * tolerance))
    shown = axes.get_xlabel()
    assert ("limit=None" in shown) == (len(points) < len(alert.pruning.curve))


def test_a_cut_that_is_not_drawn_is_told() -> None:
    """Beyond the limit the legend still says where the cut is."""
    alert = demo_alerts()["false-alert"]
    legend = axes_of(alert.plot.pruning(limit=2)).get_legend()
    assert legend
    assert any("further left" in text.get_text() for text in legend.get_texts())


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e6, 1e-7, 0.0])
@pytest.mark.parametrize("name", FIGURES)
def test_any_size_of_values(name: str, factor: float) -> None:
    """Huge, tiny and no attributions: the axes hold every bar, and numbers have digits."""
    alert = scaled(demo_alerts()["takeover-47"], factor)
    figure = getattr(alert.plot, name)()
    check_nothing_is_cut_off(figure)
    if name in ("events", "features"):
        low, high = axes_of(figure).get_xlim()
        assert all(low < length < high for length in bars(figure))
    if factor and name != "pruning":
        numbers = [
            float(text.split()[0]) for text in texts(figure) if re.match(r"[+-][\d.]+(e-\d+)?( |$)", text)
        ]
        assert max(numbers) > 0.1 * factor


@pytest.mark.parametrize(("events", "features"), [(1, 1), pytest.param(500, 200, marks=pytest.mark.slow)])
def test_any_number_of_rows(events: int, features: int) -> None:
    """Every event and feature has its bar and its label, whatever the label contains."""
    made = large(demo_alerts()["takeover-47"], events, features)
    figure = made.plot.events()
    assert bars(figure) == pytest.approx([item.value for item in made.events])
    figure = made.plot.features()
    wanted = sorted(made.features.values(), key=lambda item: -abs(item.value))
    assert bars(figure) == pytest.approx([item.value for item in wanted])
    labels = [text.get_text().replace("\n", " ") for text in axes_of(figure).get_yticklabels()]
    assert labels == [item.feature for item in wanted]
    assert error_bars(figure)
    check_nothing_is_cut_off(figure)
    assert "No events were pruned" in " ".join(texts(made.plot.pruning()))
    assert "nothing to show" in " ".join(texts(made.plot.cells()))


def test_values_below_minus_a_third_are_drawn() -> None:
    """Nothing is dropped for being strongly negative."""
    alert = demo_alerts()["takeover-47"]
    lowered = with_level(alert, "event", [Attribution(PlayerKind.EVENT, (-0.9,), (0.05,), t=0)])
    assert bars(lowered.plot.events()) == [-0.9]
    assert error_bars(lowered.plot.events()) == [(pytest.approx(-0.998), pytest.approx(-0.802))]


def test_blocks_of_history_and_unknown_players_are_drawn() -> None:
    """Blocks stand for the pruned events; players of kinds that this client does not know are drawn, too."""
    alert = demo_alerts()["takeover-20"]
    assert alert.event_level
    extra = [
        Attribution(PlayerKind.HISTORY, (0.02,), (0.0,), first_t=-19, last_t=-10),
        Attribution(PlayerKind.HISTORY, (-0.01,), (0.0,), first_t=-9, last_t=-4),
        Attribution(PlayerKind.UNKNOWN, (0.3,), (0.0,)),
    ]
    made = with_level(alert, "event", [*extra[:2], *alert.event_level.of(PlayerKind.EVENT), extra[2]])
    assert bars(made.plot.events())[-3:] == pytest.approx([-0.01, 0.02, 0.3])
    made = with_level(alert, "cell", [*alert.cells, *extra])
    assert len(axes_of(made.plot.cells()).patches) == len(alert.cells) + 3


def test_targets_and_axes_of_the_caller(client: Sequela) -> None:
    """Each target has its own numbers; a figure of the caller is drawn into and keeps its settings."""
    answer = client.explain([[1.0, 2.0]] * 4, model="m")
    for target in answer.targets:
        wanted = [item.value for item in answer.target(target.name).events]
        assert bars(answer.plot.events(target=target.name))[: len(wanted)] == pytest.approx(wanted)
    with pytest.raises(CallerError, match="'nobody' is not one of the explained targets"):
        answer.plot.events(target="nobody")
    before = dict(mpl.rcParams)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert answer.plot.events(ax=right) is figure
    assert not left.patches
    assert right.patches
    assert dict(mpl.rcParams) == before


def test_log_odds_are_named() -> None:
    """The axis says on which scale the attributions are."""
    alert = demo_alerts()["takeover-20"]
    told = replace(alert, options=replace(alert.options, link="logit"))
    for name in ("events", "features"):
        assert "log-odds" in axes_of(getattr(told.plot, name)()).get_xlabel()
    assert "log-odds" in told.plot.cells().axes[1].get_ylabel()


def test_a_level_that_was_not_asked_for() -> None:
    """The error says how to get it."""
    alert = replace(demo_alerts()["takeover-20"], levels={})
    with pytest.raises(
        CallerError, match=r"no feature level; ask for it: explain\(..., levels=\['feature'\]\)"
    ):
        alert.plot.features()
    with pytest.raises(CallerError, match="below minimum_score"):
        replace(alert, explained=False).plot.events()


@pytest.mark.slow
def test_svg_is_the_same_every_time() -> None:
    """And has texts as text."""
    alert = demo_alerts()["takeover-20"]
    first, second = (style.svg(alert.plot.features()) for _ in range(2))
    assert first == second
    assert ">+0.411 ± 0.005<" in first


def test_pyplot_is_not_touched() -> None:
    """A notebook does not show a figure twice, and nothing keeps figures in memory."""
    alert = demo_alerts()["takeover-20"]
    for name in FIGURES:
        getattr(alert.plot, name)()
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CallerError, match=r"pip install '.\[report\]'"):
        demo_alerts()["takeover-20"].plot.events()


@pytest.mark.slow
def test_a_figure_is_a_picture_in_a_notebook() -> None:
    """As IPython finds it out, without pyplot and its inline backend."""
    code = (
        "import sys, pickle; from IPython.core.formatters import DisplayFormatter; "
        "from sequela_client.plots.style import empty_axes, figure_of; "
        "figure = figure_of(empty_axes()); "
        "shown, _ = DisplayFormatter().format(pickle.loads(pickle.dumps(figure))); "
        "print(shown['image/png'][:4], 'matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == r"b'\x89PNG' False"
