"""Makes the rows of the tables of a page: events with their values, features and cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.attributions import Attribution, PlayerKind
from sequela_client.pages.bar import Bar, BarScale
from sequela_client.phrases import Phrases, events_name

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

_BLOCKS = (PlayerKind.PRUNED, PlayerKind.HISTORY)


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """A value of an event. `number` is the attribution of this cell; it is empty if the cell has none of its own."""

    name: str
    text: str
    number: str


@dataclass(frozen=True, slots=True)
class Row:
    """One attribution of a table.

    Args:
        name: the player.
        number: its attribution, and half of its 95 % interval.
        bar: attribution and 95 % interval as a bar.
        text: a remark.
        details: more about the player, line by line.
        values: the values of an event.
        block: whether the row stands for several events.
    """

    name: str
    number: str
    bar: Bar
    text: str = ""
    details: tuple[str, ...] = ()
    values: tuple[FeatureValue, ...] = ()
    block: bool = False


def event_rows(explanation: Explanation, words: Phrases) -> tuple[Row, ...]:
    """Returns the unpruned events, latest first, with their values, then the pruned ones and static inputs."""
    level = explanation.event_level
    if level is None:
        return ()
    # If the pruned events were divided into blocks of history, these say more than the whole.
    older = explanation.history or level.of(PlayerKind.PRUNED)
    others = [item for item in level.attributions if item.kind not in (PlayerKind.EVENT, *_BLOCKS)]
    items = (*explanation.events, *older, *others)
    # All bars of the table share a scale, or their lengths could not be compared.
    scale = BarScale.of(items)
    return tuple(_event_row(explanation, words, item, scale) for item in items)


def _event_row(explanation: Explanation, words: Phrases, item: Attribution, scale: BarScale) -> Row:
    number, bar = words.measured(item), scale.draw(item)
    if item.kind is not PlayerKind.EVENT or item.t is None:
        text = words.pruning() if item.kind is PlayerKind.PRUNED else ""
        return Row(block_name(words, item), number, bar, text, block=True)
    info = next((event.info for event in explanation.event_values if event.t == item.t), None)
    weights = explanation.event_weights
    weight = f"model's weight {weights[item.t - 1]:.3g}" if -len(weights) < item.t <= 0 else ""
    details = tuple(filter(None, (words.time(item.t), info.id if info else "", weight)))
    values = tuple(_values(explanation, words, item.t))
    return Row(f"t={item.t}", number, bar, details=details, values=values)


def _values(explanation: Explanation, words: Phrases, t: int) -> Iterator[FeatureValue]:
    """Returns the values of an event in the model's order, then the caller's other texts about it."""
    cells = {
        item.feature: words.signed(item.value)
        for item in explanation.cells
        if item.kind is PlayerKind.CELL and item.t == t
    }
    names = [feature.name for feature in explanation.feature_info if not feature.static]
    for name in names:
        if text := words.value(t, name):
            yield FeatureValue(words.feature(name), text, cells.get(name, ""))
    event = next((event for event in explanation.event_values if event.t == t), None)
    for caption, text in sorted(event.info.display.items()) if event else ():
        if caption not in names:
            yield FeatureValue(caption, text, "")


def feature_rows(explanation: Explanation, words: Phrases) -> tuple[Row, ...]:
    """Returns the features by strength, with their values, then the other players of the level."""
    level = explanation.feature_level
    items = level.attributions if level else ()
    features = by_strength(item for item in items if item.kind is PlayerKind.FEATURE)
    others = [item for item in items if item.kind is not PlayerKind.FEATURE]

    def value(item: Attribution) -> str:
        return words.peak(item.feature) if item.kind is PlayerKind.FEATURE and item.feature else ""

    return _rows((*features, *others), words, value)


def cell_rows(explanation: Explanation, words: Phrases) -> tuple[Row, ...]:
    """Returns all players of the cell level by strength, with the values of single cells."""

    def value(item: Attribution) -> str:
        known = words.value(item.t, item.feature) if item.t is not None and item.feature else ""
        return " ".join(filter(None, (known, "(a narrow choice)" if item.selection_uncertain else "")))

    return _rows(by_strength(explanation.cells), words, value)


def curve_rows(explanation: Explanation, words: Phrases) -> tuple[Row, ...]:
    """Returns the points of the pruning curve, latest split first."""
    items = [
        Attribution(PlayerKind.PRUNED, point.importances[:1], (0.0,), last_t=point.t)
        for point in explanation.pruning.curve
    ]
    scale = BarScale.of(items)
    return tuple(Row(f"up to t={item.last_t}", words.signed(item.value), scale.draw(item)) for item in items)


def block_name(words: Phrases, item: Attribution) -> str:
    """Returns the name of a player that is not a single event. Pruned events are named with their number."""
    if item.kind not in _BLOCKS or item.first_t is None or item.last_t is None:
        return words.player(item)
    count = item.last_t - item.first_t + 1
    return f"{count} older event{'' if count == 1 else 's'}, {events_name(item)}"


def by_strength(items: Iterable[Attribution]) -> list[Attribution]:
    """Returns the attributions, strongest first."""
    return sorted(items, key=lambda item: -abs(item.value))


def _rows(
    items: Sequence[Attribution], words: Phrases, text: Callable[[Attribution], str]
) -> tuple[Row, ...]:
    scale = BarScale.of(items)
    return tuple(
        Row(
            block_name(words, item),
            words.measured(item),
            scale.draw(item),
            text(item),
            block=item.kind in _BLOCKS,
        )
        for item in items
    )
