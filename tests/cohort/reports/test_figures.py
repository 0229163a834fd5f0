"""Figures: all of a value is drawn, labels are whole or shortened on purpose, and nothing is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from sequela_client.cohort.dataset import Cohort
from sequela_client.plots.rows import short, with_error
from sequela_client.plots.style import styled, svg

LONG = "average_amount_of_all_transactions_of_the_client_within_the_last_ninety_days_in_euros"


def texts(figure: Figure) -> list[Text]:
    return [each for each in figure.findobj(Text) if each.get_visible() and each.get_text()]


def check_inside(figure: Figure) -> None:
    """Everything that is drawn lies within the figure."""
    with styled():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        box, size = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= size[0]
    assert box.y1 <= size[1]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Many features with long and hostile names, and attributions with outliers."""
    random = np.random.default_rng(4)
    names = [f"{LONG}_{place}" for place in range(28)] + [
        "$\\frac{1}{2}$ <script>alert(1)</script>\n\x00",
        "",
    ]
    drawn = []
    for row in rows(40):
        if row["status"] == "explained":
            values = random.normal(0, 0.01, len(names)) * random.choice([1, 60], len(names), p=[0.95, 0.05])
            row["features"] = [
                {"feature": name, "value": float(value), "standard_error": 0.001}
                for name, value in zip(names, values, strict=True)
            ]
        drawn.append(row)
    folder = tmp_path_factory.mktemp("wide")
    return Cohort.open(write(folder, drawn, metadata(FEATURES, first_positive=0.5)))


def figures(cohort: Cohort) -> dict[str, Figure]:
    feature = cohort.features()["feature"][0].as_py()
    return {
        "events": cohort.plot.events(),
        "features": cohort.plot.features(),
        "pruning": cohort.plot.pruning(),
        "first_positive": cohort.plot.first_positive(),
        "fairness": cohort.plot.fairness(feature, "segment", outcome="fraud=1"),
        "drift": cohort.plot.drift("period"),
        "comparison": cohort.plot.comparison(cohort),
    }


@pytest.mark.slow
def test_nothing_is_cut_off(cohort: Cohort, wide: Cohort) -> None:
    for each in (cohort, wide):
        for figure in figures(each).values():
            check_inside(figure)


def test_the_same_numbers_give_the_same_picture(cohort: Cohort) -> None:
    """Bytes of the SVG are equal, text is text, and there are no scripts or links."""
    once, again = (svg(cohort.plot.features()) for _ in range(2))
    assert once == again
    assert "clients_age</text>" in once
    assert "<script" not in once


def test_outliers_are_not_dropped(wide: Cohort) -> None:
    """The axis reaches to the smallest and the largest attribution of all features that are shown."""
    table = wide.features().slice(0, 25)
    low, high = wide.plot.features().axes[0].get_xlim()
    assert low <= min(table["minimum"].to_pylist())
    assert high >= max(table["maximum"].to_pylist())


def test_numbers_stand_beside_colours(cohort: Cohort) -> None:
    shown = [text.get_text() for text in texts(cohort.plot.features())]
    assert any(text.startswith("+0.3") and "±" in text for text in shown)
    assert any(text.startswith("-0.0") for text in shown)


def test_indices_of_events_are_whole_where_every_sequence_has_one(tmp_path: Path) -> None:
    """An axis of one index has one number, 0, and no fractions around it."""
    alone = {"t": 0, "value": 0.2, "standard_error": 0.0}
    drawn = [
        {**row, "length": 1, "pruned_events": 0, "events": [alone]}
        for row in rows(30)
        if row["status"] == "explained"
    ]
    figure = Cohort.open(write(tmp_path / "alone", drawn, metadata(FEATURES))).plot.events()
    figure.draw_without_rendering()
    axes = next(each for each in figure.axes if each.get_xlabel().startswith("index of the event"))
    low, high = axes.get_xlim()
    assert [place for place in axes.get_xticks() if low <= place <= high] == [0]


def test_first_positive_bins_hold_every_sequence(tmp_path: Path) -> None:
    """A range of many indices is put into bins of equal width."""
    drawn: list[dict[str, Any]] = [
        {"id": str(place), "variant": "", "row": place, "status": "below_minimum", "first_positive": -place}
        for place in range(500)
    ]
    cohort = Cohort.open(write(tmp_path / "long", drawn, metadata(first_positive=0.5), 500))
    bars = cohort.plot.first_positive().axes[0].patches
    assert len(bars) <= 60
    assert sum(bar.get_height() for bar in bars) == 500
    assert {bar.get_height() for bar in bars[:-1]} == {9.0}
    assert bars[0].get_x() + bars[0].get_width() / 2 == pytest.approx(-4.0)


def test_short_names() -> None:
    """Two lines at most, an ellipsis where there is more, and no control characters."""
    assert short("amount") == "amount"
    assert short(LONG).count("\n") == 1
    assert short(LONG).endswith("…")
    assert short(None) == "(no value)"
    assert short("") == "(empty)"
    assert "\x1b" not in short("\x1b[31mred")


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.12345, 0.02, "+0.123 ± 0.020"),
        (-0.00012345, 0.000021, "-0.000123 ± 0.000021"),
        (0.0, 0.0, "+0.000"),
        (0.5, float("nan"), "+0.500"),
        (float("nan"), 0.1, "none"),
    ],
)
def test_numbers_with_errors(value: float, half: float, text: str) -> None:
    assert with_error(value, half) == text
