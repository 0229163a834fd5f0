"""An explanation in plain words, for people who decide about an alert and do not know Shapley values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.attributions import Attribution
from sequela_client.explanation_parts import Verdict
from sequela_client.phrases import Phrases, events_name
from sequela_client.printable_text import printable

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

# How many events and features are named; the tables have the rest.
_MOST = 3
TIED = "= marks reasons that are equally strong within their errors."
_VERBS = {1: "raised", -1: "lowered"}
# Scores of this size or larger are printed without decimals.
_LARGE = 1000.0
# The share of score - base value up to which something hardly matters; a tolerance may be larger.
_LITTLE = 0.1

# Names that features have by default: a number, with the name of the input before it.
_INFERRED = re.compile(r"(.+\.)?f?\d+")


def has_summary(explanation: Explanation) -> bool:
    """Whether a summary makes sense: the sequence was explained, and somebody gave its features names."""
    names = [feature.name for feature in explanation.feature_info]
    return explanation.explained and not all(map(_INFERRED.fullmatch, names))


@dataclass(frozen=True, slots=True)
class Part:
    """A list with a title, or a paragraph: a part without a title has one line."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RankedReason:
    """A main reason. `tied`: whether another has the same rank, since both are equally strong within their errors."""

    rank: int
    tied: bool
    number: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """The summary of one target.

    Args:
        opening: which alert it is.
        labels: its labels on one line; empty if it has none.
        headline: its score.
        reasons: the main reasons, strongest first.
        parts: what raised the score, what lowered it, and what else there is to say.
    """

    opening: str
    labels: str
    headline: str
    reasons: tuple[RankedReason, ...]
    parts: tuple[Part, ...]


def summary_lines(explanation: Explanation) -> Iterator[str]:
    """The summary of the first target, line by line."""
    told = summary(explanation)
    yield told.opening
    if told.labels:
        yield told.labels
    yield from ("", told.headline)
    if told.reasons:
        yield from ("", "Reasons:")
        yield from (
            f"  {each.rank}{'=' if each.tied else '.'} {each.number}  {each.text}" for each in told.reasons
        )
    if any(each.tied for each in told.reasons):
        yield f"  ({TIED})"
    for part in told.parts:
        yield ""
        if part.title:
            yield f"{part.title}:"
            yield from (f"  {number}. {line}" for number, line in enumerate(part.lines, 1))
        else:
            yield from part.lines


def summary(explanation: Explanation) -> AlertSummary:
    """The summary of the first target."""
    explanation = printable(explanation)
    labels = ", ".join(f"{key} {value}" for key, value in sorted(explanation.labels.items()))
    reasons = tuple(_reasons(Phrases(explanation, digits=2), explanation)) if explanation.explained else ()
    return AlertSummary(
        _opening(explanation), labels, _headline(explanation), reasons, tuple(_parts(explanation))
    )


def _headline(explanation: Explanation) -> str:
    target = explanation.targets[0]
    if not explanation.explained:
        score = f"{target.label or target.name}: {_rounded(target.score, 2)}"
        return f"{score}. This is below the minimum score, so it is not explained."
    score, base = _scores(explanation)
    return f"{_what(explanation)}: {score}. With nothing known about the history, it is {base}."


def _parts(explanation: Explanation) -> Iterator[Part]:
    if not explanation.explained:
        return
    words, target = Phrases(explanation, digits=2), explanation.targets[0]
    # First what moved the score away from the base value, then what moved it back.
    first = -1 if target.score < target.base_value else 1
    yield from _part(f"What {_VERBS[first]} it, and by how much", _events(words, explanation, first))
    yield from _part(f"What {_VERBS[-first]} it", _events(words, explanation, -first))
    for sign in (first, -first):
        strongest = _top(explanation.features.values(), sign)
        # What would be printed as 0 is not an example of either.
        features = [
            _feature(words, explanation, each) for each in strongest if words.signed(each.value).strip("+-0.")
        ]
        if features:
            text = (
                f"Over {_scope(explanation)}, these features {_VERBS[sign]} it most: {', '.join(features)}."
            )
            yield Part("", (text,))
    yield from _older(words, explanation)


def _what(explanation: Explanation) -> str:
    """What the score is called; with the logit link the numbers are log-odds."""
    target = explanation.targets[0]
    name = target.label or target.name
    return f"Log-odds of {name!r}" if explanation.options.link == "logit" else name


def _opening(explanation: Explanation) -> str:
    """The alert's id, how many events it has, and when the first and the last were, if both are known."""
    count = f"{explanation.length} event{'' if explanation.length == 1 else 's'}"
    times = {event.t: event.info.time for event in explanation.event_values}
    first, last = times.get(1 - explanation.length), times.get(0)
    period = (
        f", from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}" if first and last and first != last else ""
    )
    return f"{f'Alert {explanation.caller_id}: ' if explanation.caller_id else ''}{count}{period}"


def _scope(explanation: Explanation) -> str:
    """The events on which the features acted, in words."""
    pruned = explanation.pruning.pruned_events
    if not pruned or explanation.options.feature_scope == "full_sequence":
        return "all events"
    recent = explanation.length - pruned
    return f"the {recent} recent events" if recent > 1 else "the latest event"


def _feature(words: Phrases, explanation: Explanation, item: Attribution) -> str:
    """A feature and its attribution, with the value at the event where it mattered most."""
    name, t = item.feature or "", explanation.peak(item.feature or "")
    value = words.value(t or 0, name) if t is not None or name in explanation.static_values else ""
    where = f" ({value}{'' if t is None else f', at {_event(words, t)}'})" if value else ""
    return f"{words.feature(name)} {words.signed(item.value)}{where}"


def _scores(explanation: Explanation) -> tuple[str, str]:
    """Returns score and base value with two decimals, or more if they would look equal. Large ones have none.

    A number that would be printed as 0 reads "less than", and a probability that would be printed as 1 "more than".
    Beside log-odds stand the probabilities.
    """
    target = explanation.targets[0]
    score, base = target.score, target.base_value
    decimals = 0 if max(abs(score), abs(base)) >= _LARGE else 2
    if score != base and f"{score:.{decimals}f}" == f"{base:.{decimals}f}":
        decimals = min(1 + math.ceil(-math.log10(abs(score - base))), 9)
    # Without the logit link the numbers are the model's own, and need no translation.
    if explanation.options.link != "logit":
        return _rounded(score, decimals), _rounded(base, decimals)
    raw, raw_base = _rounded(target.raw_score, 2), _rounded(target.raw_base_value, 2)
    return (
        f"{score:z,.{decimals}f} (probability {raw})",
        f"{base:z,.{decimals}f} (probability {raw_base})",
    )


def _rounded(value: float, decimals: int) -> str:
    least = 10.0**-decimals
    if 1 - least / 2 < value < 1:
        return f"more than {1 - least:.{decimals}f}"
    return f"less than {least:.{decimals}f}" if 0 < value < least / 2 else f"{value:z,.{decimals}f}"


def _part(title: str, lines: Iterable[str]) -> Iterator[Part]:
    told = tuple(lines)
    if told:
        yield Part(title, told)


def _top(items: Iterable[Attribution], sign: int) -> list[Attribution]:
    """The strongest attributions of one sign, without those that may be 0 by their standard errors."""
    sure = [item for item in items if sign * item.value > 2 * item.standard_error]
    return sorted(sure, key=lambda item: -abs(item.value))[:_MOST]


def _events(words: Phrases, explanation: Explanation, sign: int) -> Iterator[str]:
    for item in _top(explanation.events, sign):
        yield f"{words.signed(item.value)}  {_when(words, item)}: {words.facts(item.t or 0)}"


def _reasons(words: Phrases, explanation: Explanation) -> Iterator[RankedReason]:
    ranks = Counter(item.rank for item in explanation.reasons)
    for item in explanation.reasons:
        yield RankedReason(item.rank, ranks[item.rank] > 1, words.signed(item.value), item.text)


def _when(words: Phrases, item: Attribution) -> str:
    return _event(words, item.t or 0)


def _event(words: Phrases, t: int) -> str:
    return words.time(t) or ("the latest event" if t == 0 else f"event t={t}")


def _older(words: Phrases, explanation: Explanation) -> Iterator[Part]:
    pruned = explanation.pruned
    if pruned is None:
        return
    difference = abs(explanation.score - explanation.base_value)
    # The verdict alone is not enough: a tolerance may be larger than the whole difference.
    little = difference == 0 or abs(pruned.value) <= _LITTLE * difference
    hardly = little and abs(pruned.value) <= (explanation.pruning.tolerance or 0.0)
    offset = explanation.pruning.verdict is Verdict.OFFSETTING
    weight = "offset each other" if offset else "hardly matter" if hardly else "matter as well"
    count = explanation.pruning.pruned_events
    part = f", but {words.older_part()}" if offset else ""
    events = f"The {count} older event{'' if count == 1 else 's'} ({events_name(pruned)})"
    yield Part("", (f"{events} {weight}: {words.signed(pruned.value)} together{part}.",))
