"""An explanation in plain words, for who decides about an alert and has never heard of Shapley values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from sequela_client.attributions import Attribution, PlayerKind
from sequela_client.cli.terminal import printable
from sequela_client.cli.wording import Wording, events_name
from sequela_client.explanation import Explanation

_TOLD = 3
"""How many of each are told; the tables have the rest."""


_INFERRED = re.compile(r"(.+\.)?f?\d+")


def has_story(explanation: Explanation) -> bool:
    """Whether there are words to tell it with: features that somebody named. Numbered ones are for tables only."""
    names = [feature.name for feature in explanation.feature_info]
    return explanation.explained and not all(map(_INFERRED.fullmatch, names))


def tell(explanation: Explanation) -> Iterator[str]:
    """The story of the first target, line by line."""
    explanation = printable(explanation)
    words = Wording(explanation, digits=2)
    target = explanation.targets[0]
    yield _opening(explanation)
    if explanation.labels:
        yield ", ".join(f"{key} {value}" for key, value in sorted(explanation.labels.items()))
    yield ""
    base = _score(target.base_value, target.score)
    yield f"{target.label or target.name}: {_score(target.score, target.base_value)}. An average history gets {base}."
    yield from _part("What raised it, and by how much", _events(words, explanation, 1))
    yield from _part("What lowered it", _events(words, explanation, -1))
    yield from _part("Look at these facts first", _facts(words, explanation))
    features = _top(explanation.features.values(), 1)
    if features:
        named = ", ".join(f"{words.player(item)} {words.signed(item.value)}" for item in features)
        yield from ("", f"Over {_scope(explanation)}, these features raised it most: {named}.")
    yield from _older(words, explanation)


def _opening(explanation: Explanation) -> str:
    """Whose story it is, how long, and from when to when where that is known of both ends."""
    count = f"{explanation.length} event{'' if explanation.length == 1 else 's'}"
    times = {event.t: event.info.time for event in explanation.event_values}
    first, last = times.get(1 - explanation.length), times.get(0)
    period = (
        f", from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}" if first and last and first != last else ""
    )
    return f"{f'Alert {explanation.caller_id}: ' if explanation.caller_id else ''}{count}{period}"


def _scope(explanation: Explanation) -> str:
    """The events on which the features acted."""
    pruned = explanation.pruning.pruned_events
    if not pruned or explanation.options.feature_scope == "full_sequence":
        return "all events"
    recent = explanation.length - pruned
    return f"the {recent} recent events" if recent > 1 else "the latest event"


def _score(value: float, other: float) -> str:
    """To two decimals, as probabilities are read; what would read as nothing is said to be little. Numbers of another
    size keep the digits that tell them from each other.
    """
    largest = max(abs(value), abs(other))
    if 0.01 <= largest <= 1 and min(value, other) >= 0:
        return "less than 0.01" if 0 < value < 0.005 else f"{value:.2f}"
    digits = 0 if value == other else max(0, math.ceil(-math.log10(abs(value - other))) + 1)
    return (
        f"{value:,.{min(max(digits, 2 if largest < 1000 else 0), 9)}f}"
        if math.isfinite(value)
        else f"{value}"
    )


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield from ("", f"{title}:")
        yield from (f"  {number}. {line}" for number, line in enumerate(told, 1))


def _top(items: Iterable[Attribution], sign: int) -> list[Attribution]:
    """The strongest of one sign; what may as well be nothing is left out."""
    sure = [item for item in items if sign * item.value > 2 * item.standard_error]
    return sorted(sure, key=lambda item: -abs(item.value))[:_TOLD]


def _events(words: Wording, explanation: Explanation, sign: int) -> Iterator[str]:
    for item in _top(explanation.events, sign):
        yield f"{words.signed(item.value)}  {_when(words, item)}: {words.facts(item.t or 0)}"


def _facts(words: Wording, explanation: Explanation) -> Iterator[str]:
    """Single values, of one feature at one event."""
    cells = [item for item in explanation.cells if item.kind is PlayerKind.CELL]
    for item in _top(cells, 1):
        name = item.feature or ""
        value = words.value(item.t or 0, name)
        yield f"{words.signed(item.value)}  {words.feature(name)}: {value}, at {_when(words, item)}"


def _when(words: Wording, item: Attribution) -> str:
    return words.time(item.t or 0) or ("the latest event" if item.t == 0 else f"event t={item.t}")


def _older(words: Wording, explanation: Explanation) -> Iterator[str]:
    pruned = explanation.pruned
    if pruned is None:
        return
    hardly = abs(pruned.value) <= (explanation.pruning.tolerance or 0.0)
    weight = "hardly matter" if hardly else "matter as well"
    count = explanation.pruning.pruned_events
    yield from (
        "",
        f"The {count} older events ({events_name(pruned)}) {weight}: {words.signed(pruned.value)} together.",
    )
