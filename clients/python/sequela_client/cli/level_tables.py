"""Prints the levels of an explanation as tables with bars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sequela_client.attributions import Attribution, LevelAttributions, PlayerKind
from sequela_client.cli.bars import Bars
from sequela_client.cli.option_flags import with_flags
from sequela_client.explanation import Explanation
from sequela_client.phrases import Phrases, quality
from sequela_client.printable_text import printable

# The largest number of targets that are printed. JSON and CSV have all of them.
_TARGETS = 3

# Levels with a table of their own. Any other level gets a table that fits all players.
_OWN_TABLES = ("event", "feature", "cell")


@dataclass(frozen=True, slots=True)
class LevelTable:
    """A level as a table.

    Args:
        title: its heading.
        heads: the headings of the first two columns.
        level: the level.
        items: the attributions, one for each row.
        columns: makes the texts of the first two columns from an attribution.
    """

    title: str
    heads: tuple[str, str]
    level: LevelAttributions
    items: Sequence[Attribution]
    columns: Callable[[Attribution], tuple[str, str]]


def print_levels(console: Console, explanation: Explanation, rows: int) -> None:
    """Prints each target: its scores, what was pruned, and a table of at most `rows` rows for each level."""
    explanation = printable(explanation)
    names = [target.name for target in explanation.targets]
    for name in names[:_TARGETS]:
        print_target(console, explanation.target(name), rows)
    if len(names) > _TARGETS or explanation.output_count > len(names):
        console.print(_shown(min(len(names), _TARGETS), len(names), explanation.output_count))


def _shown(printed: int, targets: int, outputs: int) -> str:
    """Returns a line that says how many of the targets are printed, and how many outputs the model has."""
    text = f"{printed} of {targets:,} targets shown"
    if outputs > targets:
        text += f", of {outputs:,} outputs"
    return f"{text} (see --target, --json, --csv)"


def print_target(console: Console, explanation: Explanation, rows: int) -> None:
    """Prints the explanation of one target."""
    words = Phrases(explanation)
    _header(console, explanation, words)
    if not explanation.explained:
        minimum = explanation.options.minimum_score
        console.print(
            f"The score is below the minimum score{'' if minimum is None else f' of {minimum:g}'}, "
            "so it is not explained."
        )
        return
    console.print(with_flags(words.pruning()))
    console.print()
    for view in _views(explanation, words):
        _table(console, words, view, rows)
    if _nothing_passes(explanation):
        console.print(
            "There is no single cell, because no event and feature both pass the threshold "
            f"{explanation.options.cell_thresholds[0]:.3g}; try --top-k-events 3 --top-k-features 3."
        )


def _nothing_passes(explanation: Explanation) -> bool:
    """Returns whether no single cell passes the threshold."""
    level, options = explanation.cell_level, explanation.options
    if level is None or not level.attributions or not options.cell_thresholds:
        return False
    return not level.of(PlayerKind.CELL) and options.top_k_events is None


def _header(console: Console, explanation: Explanation, words: Phrases) -> None:
    target = explanation.targets[0]
    beside = ""
    if explanation.explained:
        difference = target.score - target.base_value
        beside = f"  base value {words.number(target.base_value)}  difference {words.signed(difference)}"
    console.print(
        Text.assemble(
            (f"{target.label or target.name}  ", "bold"),
            (f"score {words.number(target.score)}", "bold"),
            beside,
        )
    )
    pruned = explanation.pruning.pruned_events
    console.print(
        f"model {_short(explanation.model)}  events {explanation.length}, pruned {pruned}"
        + (f"  alert {explanation.caller_id}" if explanation.caller_id else ""),
    )
    if explanation.cut_short:
        console.print("Cut short by the deadline: these are the best numbers so far.", style="bold")


def _short(model: str) -> str:
    """Returns a model's name without `models/`, and with the beginning of a digest only."""
    name = model.removeprefix("models/").replace("/versions/", " version ")
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", name)


def _events(explanation: Explanation) -> tuple[Attribution, ...]:
    """Returns the unpruned events, latest first, then the pruned ones, then the static inputs."""
    level = explanation.event_level
    older = explanation.history or (level.of(PlayerKind.PRUNED) if level else ())
    static = (explanation.static,) if explanation.static else ()
    return (*explanation.events, *older, *static)


def _features(explanation: Explanation) -> tuple[Attribution, ...]:
    """Returns the features, strongest first, then the pruned events."""
    level = explanation.feature_level
    return (*_by_strength(explanation.features.values()), *(level.of(PlayerKind.PRUNED) if level else ()))


def _by_strength(items: Iterable[Attribution]) -> tuple[Attribution, ...]:
    return tuple(sorted(items, key=lambda item: -abs(item.value)))


def _strongest(items: Sequence[Attribution], rows: int) -> list[Attribution]:
    """Returns the strongest attributions, in the order of the items."""
    kept = sorted(range(len(items)), key=lambda index: -abs(items[index].value))[:rows]
    return [items[index] for index in sorted(kept)]


def _views(explanation: Explanation, words: Phrases) -> Iterator[LevelTable]:
    """Yields a table for each level that there is."""

    def event(item: Attribution) -> tuple[str, str]:
        if item.kind is not PlayerKind.EVENT or item.t is None:
            return words.player(item), ""
        return words.player(item), "  ".join(filter(None, (words.time(item.t), words.event(item.t))))

    def feature(item: Attribution) -> tuple[str, str]:
        return words.player(item), words.peak(item.feature) if item.feature else ""

    def cell(item: Attribution) -> tuple[str, str]:
        value = words.value(item.t, item.feature) if item.t is not None and item.feature else ""
        unsure = "(a narrow choice)" if item.selection_uncertain else ""
        return words.player(item), "  ".join(filter(None, (value, unsure)))

    def any_player(item: Attribution) -> tuple[str, str]:
        return {PlayerKind.EVENT: event, PlayerKind.FEATURE: feature}.get(item.kind, cell)(item)

    if explanation.event_level:
        yield LevelTable("Events", ("event", "what"), explanation.event_level, _events(explanation), event)
    if explanation.feature_level:
        heads = ("feature", "value (event)")
        yield LevelTable("Features", heads, explanation.feature_level, _features(explanation), feature)
    if explanation.cell_level:
        yield LevelTable(
            "Cells", ("cell", "value"), explanation.cell_level, _by_strength(explanation.cells), cell
        )
    for name, level in explanation.levels.items():
        if name not in _OWN_TABLES:
            title = f"{name.replace('_', ' ').capitalize()} level"
            yield LevelTable(title, ("player", "what"), level, _by_strength(level.attributions), any_player)


def _table(console: Console, words: Phrases, view: LevelTable, rows: int) -> None:
    console.print(Text.assemble((view.title, "bold"), f"  {with_flags(quality(view.level.quality))}"))
    # Rows are left out by strength, but stay in the order of the level.
    items = _strongest(view.items, rows)
    if not items:
        return
    bars = Bars.fitting(console, [item.value for item in items])
    table = Table(box=box.SIMPLE_HEAD if console.encoding.startswith("utf") else box.ASCII, pad_edge=False)
    table.add_column(view.heads[0], overflow="fold")
    table.add_column(view.heads[1], overflow="fold")
    table.add_column("attribution ± 95 %", no_wrap=True)
    table.add_column(bars.head, no_wrap=True)
    for item in items:
        table.add_row(*view.columns(item), words.measured(item), bars.draw(item.value))
    console.print(table)
    if left_out := len(view.items) - len(items):
        rest = sum(item.value for item in view.items) - sum(item.value for item in items)
        console.print(f"Not shown: {left_out} weaker ({words.signed(rest)} in total); see --rows.\n")
