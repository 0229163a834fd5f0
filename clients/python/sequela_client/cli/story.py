"""An explanation in plain words, for who decides about an alert and has never heard of Shapley values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sequela_client.attributions import Attribution, PlayerKind
from sequela_client.cli.wording import Wording, events_name
from sequela_client.explanation import Explanation

_TOLD = 3
"""How many of each are told; the tables have the rest."""


def tell(explanation: Explanation) -> Iterator[str]:
    """The story of the first target, line by line."""
    words = Wording(explanation)
    target = explanation.targets[0]
    alert = f" “{explanation.caller_id}”" if explanation.caller_id else ""
    yield f"Alert{alert}: {explanation.length} events of one account"
    yield (
        f"The model gives the latest event {target.score:.2f} for {target.label or target.name}; "
        f"an average history gets {target.base_value:.2f}."
    )
    yield from _part("What raised it", (_event(words, item) for item in _top(explanation.events, 1)))
    yield from _part("What lowered it", (_event(words, item) for item in _top(explanation.events, -1)))
    features = explanation.features.values()
    yield from _part("What about them raised it", (_feature(words, item) for item in _top(features, 1)))
    cells = [item for item in explanation.cells if item.kind is PlayerKind.CELL]
    yield from _part("Look at these facts first", (_cell(words, item) for item in _top(cells, 1)))
    yield from _older(explanation, words)


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield ""
        yield f"{title}:"
        yield from (f"  {number}. {line}" for number, line in enumerate(told, 1))


def _top(items: Iterable[Attribution], sign: int) -> list[Attribution]:
    """The strongest of one sign; what is not surely different from nothing is left out."""
    sure = [item for item in items if sign * item.value > 2 * item.standard_error]
    return sorted(sure, key=lambda item: -abs(item.value))[:_TOLD]


def _event(words: Wording, item: Attribution) -> str:
    when = words.time(item.t or 0) or _index(item)
    return f"{when}: {words.facts(item.t or 0)}  ({words.signed(item.value)})"


def _feature(words: Wording, item: Attribution) -> str:
    name = item.feature or ""
    value = words.value(0, name)
    return f"{words.feature(name)}" + (f", now {value}" if value else "") + f"  ({words.signed(item.value)})"


def _cell(words: Wording, item: Attribution) -> str:
    t, name = item.t or 0, item.feature or ""
    when = words.time(t) or _index(item)
    return f"{words.feature(name)} {words.value(t, name)} at {when}  ({words.signed(item.value)})"


def _older(explanation: Explanation, words: Wording) -> Iterator[str]:
    pruned = explanation.pruned
    if pruned is None:
        return
    weight = "matter as well" if abs(pruned.value) > (explanation.pruning.tolerance or 0) else "hardly matter"
    yield ""
    yield (
        f"The {explanation.pruning.pruned_events} older events ({events_name(pruned)}) "
        f"{weight}: {words.signed(pruned.value)} together."
    )


def _index(item: Attribution) -> str:
    return "the latest event" if item.t == 0 else f"event {item.t}"
