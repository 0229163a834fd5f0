"""Makes the figures of a page. Each has an alternative text and a table with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.pages.rows import Row, cell_rows, curve_rows, feature_rows
from sequela_client.phrases import Phrases
from sequela_client.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sequela_client.explanation import Explanation

# An alternative text names this many rows. The table has all.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure. `source` is the picture as a data URI, and `alternative` its alternative text."""

    source: str
    alternative: str
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page with one figure.

    Args:
        anchor: its id.
        title: its heading.
        text: what the figure shows.
        figure: the figure.
        caption: the caption of the table; the table may have no rows.
        heads: the headings before the numbers.
        rows: the numbers of the figure.
    """

    anchor: str
    title: str
    text: str
    figure: Picture
    caption: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


def sections(explanation: Explanation, words: Phrases, events: tuple[Row, ...]) -> Iterator[Section]:
    """Returns a section for each figure of the first target that can be drawn.

    Args:
        explanation: the explanation.
        words: turns its numbers and names into text.
        events: the rows of the table of events, which the page shows elsewhere.
    """
    plot = explanation.plot
    if explanation.pruning.curve:
        yield _pruning(explanation, words, plot.pruning())
    if events:
        text = "What each event contributed, in the order of the table above, which has the numbers."
        yield Section("events", "Events", text, _picture(plot.events(), "events", events))
    if rows := feature_rows(explanation, words):
        text = "What each feature contributed over the events that were not pruned, the strongest first."
        heads = ("Feature", "Value (event)")
        figure = _picture(plot.features(), "features", rows)
        yield Section("features", "Features", text, figure, "By strength.", heads, rows)
    if rows := cell_rows(explanation, words):
        text = (
            "Features in rows, events in columns: what a feature contributed at one event. Weaker features and events "
            "are taken together."
        )
        figure = _picture(plot.cells(), "single facts and groups of them", rows)
        yield Section("cells", "Single facts", text, figure, "By strength.", ("Cell", "Value"), rows)


def _pruning(explanation: Explanation, words: Phrases, figure: Figure) -> Section:
    text = words.pruning()
    alternative = f"Line chart of the importance of older events by the place of the split. {text}"
    caption = (
        "Importance of all events up to t. If the past matters little, it is about 0 from some t backwards."
    )
    return Section(
        "pruning",
        "Older events",
        text,
        Picture(style.data_uri(style.svg(figure)), alternative, caption),
        "Importance of the older events, for each split that was scanned.",
        ("Events",),
        curve_rows(explanation, words),
    )


def _picture(figure: Figure, what: str, rows: tuple[Row, ...]) -> Picture:
    strongest = sorted(rows, key=lambda row: -row.bar.width)[:_NAMED]
    named = "; ".join(f"{row.name} {row.number}" for row in strongest)
    alternative = f"Chart of {len(rows)} {what}. The strongest: {named}. A table has all numbers."
    caption = "Warm colours raise the score, cool ones lower it; error bars are one standard error."
    return Picture(style.data_uri(style.svg(figure)), alternative, caption)
