"""Makes the tables with the numbers of the figures of a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.pages.rows import Row, cell_rows, curve_rows, feature_rows
from sequela_client.phrases import Phrases

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a page with one table.

    Args:
        anchor: its id.
        title: its heading.
        text: what the table shows.
        caption: the caption of the table.
        heads: the headings before the numbers.
        rows: the numbers.
    """

    anchor: str
    title: str
    text: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def sections(explanation: Explanation, words: Phrases) -> Iterator[Section]:
    """Returns the sections of features, cells and the pruning curve of the first target, as far as they are known.

    Args:
        explanation: the explanation.
        words: turns its numbers and names into text.
    """
    if rows := feature_rows(explanation, words):
        text = "What each feature contributed over the events that were not pruned, the strongest first."
        yield Section("features", "Features", text, "By strength.", ("Feature", "Value (event)"), rows)
    if rows := cell_rows(explanation, words):
        text = "What a feature contributed at one event. Weaker features and events are taken together."
        yield Section("cells", "Single facts", text, "By strength.", ("Cell", "Value"), rows)
    if explanation.pruning.curve:
        caption = "Importance of the older events, for each split that was scanned."
        rows = curve_rows(explanation, words)
        yield Section("pruning", "Older events", words.pruning(), caption, ("Events",), rows)
