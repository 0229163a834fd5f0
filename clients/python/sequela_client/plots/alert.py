"""Draws the figures of one explanation, after Fig. 5 of the TimeSHAP paper, for `Explanation.plot`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sequela_client.attributions import Attribution, LevelAttributions, PlayerKind
from sequela_client.errors import CallerError
from sequela_client.phrases import Phrases, events_name, sureness
from sequela_client.plots import style
from sequela_client.plots.bars import BarRow, bars_height, draw_bars
from sequela_client.plots.cells import cell_grid, draw_cells
from sequela_client.plots.pruning import draw_pruning

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sequela_client.explanation import Explanation

_DIGITS = 3
# If there are more events than this, they get no line of text, since it could not be read.
_MOST_CAPTIONED = 20


class AlertFigures:
    """Figures of one explanation.

    Each method draws one target into a new figure with a title, or into `ax` without one, and returns the figure.
    `target` is the name of an explained target; None takes the first one. Warm colours raise the score, cool ones lower
    it, and error bars are 95 % intervals. Axes are as long as the values need.
    """

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation

    def pruning(self, *, target: str | None = None, limit: int | None = 50, ax: Axes | None = None) -> Figure:
        """Draws the pruning curve: what the older and the recent events contribute for a split at each t (Fig. 5a, 5d).

        Args:
            target: the target.
            limit: how many of the latest splits are drawn; None: all that were scanned. With `full_pruning_curve`,
                `explain` scans all of them.
            ax: axes of matplotlib to draw into.
        """
        shown = self._of(target)
        title = _title("Importance of older events", shown)
        return _drawn(
            ax, style.WIDTH, 3.6, title, lambda axes: draw_pruning(axes, shown, limit, _unit(shown))
        )

    def events(self, *, target: str | None = None, ax: Axes | None = None) -> Figure:
        """Draws the unpruned events, latest first, then the pruned ones together or in blocks (Fig. 5b, 5e)."""
        shown = self._of(target)
        level = _level(shown, "event")
        words = Phrases(shown, _DIGITS)
        older = shown.history or level.of(PlayerKind.PRUNED)
        known = (*shown.events, *older)
        others = tuple(
            item for item in level.attributions if item not in known and not _replaced(item, shown)
        )
        captions = _captions(shown, words) if len(shown.events) <= _MOST_CAPTIONED else {}
        rows = [_event_row(words, item, captions) for item in (*known, *others)]
        return _bars(ax, rows, _title("Events", shown), shown, level)

    def features(self, *, target: str | None = None, ax: Axes | None = None) -> Figure:
        """Draws the features by strength, with their values, then the pruned events (Fig. 5c, 5f)."""
        shown = self._of(target)
        level = _level(shown, "feature")
        words = Phrases(shown, _DIGITS)
        features = sorted(level.of(PlayerKind.FEATURE), key=lambda item: -abs(item.value))
        others = tuple(item for item in level.attributions if item.kind is not PlayerKind.FEATURE)
        rows = [_feature_row(words, item, shown) for item in (*features, *others)]
        return _bars(ax, rows, _title("Features", shown), shown, level)

    def cells(self, *, target: str | None = None, ax: Axes | None = None) -> Figure:
        """Draws the cells, and groups of weaker ones, as a heat map with numbers (Fig. 5g, 5h)."""
        shown = self._of(target)
        level = _level(shown, "cell")
        words = Phrases(shown, _DIGITS)
        grid = cell_grid(shown, words)

        def draw(axes: Axes) -> None:
            if grid.items:
                draw_cells(axes, grid, words, _unit(shown))
            else:
                style.message(axes, _nothing(level))

        width, height = grid.size if grid.items else (style.WIDTH, 1.2)
        return _drawn(ax, max(width, style.WIDTH * 0.7), height, _title("Cells", shown), draw)

    def _of(self, target: str | None) -> Explanation:
        """Returns the explanation of one target. Raises CallerError if it was not explained."""
        names = [each.name for each in self._explanation.targets]
        if target is not None and target not in names:
            text = f"target: {target!r} is not one of the explained targets: {', '.join(names)}"
            raise CallerError(text, reason="TARGET_NOT_EXPLAINED")
        return self._explanation.target(target or names[0])


def _drawn(ax: Axes | None, width: float, height: float, title: str, draw: Callable[[Axes], None]) -> Figure:
    with style.styled():
        if ax is not None:
            draw(ax)
            return style.figure_of(ax)
        axes = style.empty_axes(width, height)
        draw(axes)
        return style.titled(style.figure_of(axes), title)


def _bars(
    ax: Axes | None, rows: list[BarRow], title: str, shown: Explanation, level: LevelAttributions
) -> Figure:
    def draw(axes: Axes) -> None:
        if rows:
            draw_bars(axes, rows, _unit(shown))
        else:
            style.message(axes, _nothing(level))

    return _drawn(ax, style.WIDTH, bars_height(rows), title, draw)


def _level(explanation: Explanation, name: str) -> LevelAttributions:
    level = explanation.levels.get(name)
    if level is not None:
        return level
    if not explanation.explained:
        text = (
            "the score is below minimum_score, so the sequence was not explained and there is nothing to draw"
        )
    else:
        text = f"the explanation has no {name} level; ask for it: explain(..., levels=[{name!r}])"
    raise CallerError(text, reason="LEVEL_NOT_REQUESTED")


def _replaced(item: Attribution, explanation: Explanation) -> bool:
    """Returns whether blocks of history are drawn in place of this block of pruned events."""
    return item.kind is PlayerKind.PRUNED and bool(explanation.history)


def _nothing(level: LevelAttributions) -> str:
    return f"There is nothing to show: {sureness(level.quality)}."


def _title(what: str, explanation: Explanation) -> str:
    target = explanation.targets[0]
    words = Phrases(explanation, _DIGITS)
    return (
        f"{what}: {target.label or target.name} {words.number(target.score)}, base value "
        f"{words.number(target.base_value)}"
    )


def _unit(explanation: Explanation) -> str:
    return "Attribution in log-odds" if explanation.options.link == "logit" else "Attribution"


def _captions(explanation: Explanation, words: Phrases) -> dict[int, str]:
    """Returns the caller's words about each event in one short line. The model's numbers would not help a reader."""
    told = [event.t for event in explanation.event_values if event.info.display]
    return {t: textwrap.shorten(words.event(t), style.LABEL_WIDTH + 4, placeholder=" …") for t in told}


def _event_row(words: Phrases, item: Attribution, captions: Mapping[int, str]) -> BarRow:
    if item.kind is PlayerKind.EVENT and item.t is not None:
        label = " ".join(filter(None, (f"t={item.t}", words.time(item.t))))
        label = "\n".join(filter(None, (label, captions.get(item.t))))
    else:
        label = _block(words, item)
    return _row(words, item, label)


def _feature_row(words: Phrases, item: Attribution, explanation: Explanation) -> BarRow:
    if item.kind is not PlayerKind.FEATURE:
        return _row(words, item, _block(words, item))
    value = words.peak(item.feature or "")
    if (
        value
        and item.feature not in explanation.static_values
        and explanation.peak(item.feature or "") is None
    ):
        # A feature has another value at each event, and its attribution is about all of them.
        value = f"latest: {value}"
    label = style.wrapped(words.feature(item.feature or ""))
    return _row(words, item, f"{label}\n{style.wrapped(value)}" if value else label)


def _block(words: Phrases, item: Attribution) -> str:
    if item.kind in (PlayerKind.PRUNED, PlayerKind.HISTORY):
        return f"older events, {events_name(item)}"
    return words.player(item)


def _row(words: Phrases, item: Attribution, label: str) -> BarRow:
    block = item.kind in (PlayerKind.PRUNED, PlayerKind.HISTORY)
    return BarRow(label, item.value, item.margin, words.measured(item), block)
