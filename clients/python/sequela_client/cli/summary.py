"""An explanation in plain words, for people who decide about an alert and do not know Shapley values."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from sequela_client.attributions import Attribution
from sequela_client.cli.phrases import Phrases, events_name
from sequela_client.cli.terminal import printable
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import Verdict

# How many events and features are named; the tables have the rest.
_MOST = 3
_VERBS = {1: "raised", -1: "lowered"}
# Scores from here on are printed without decimals.
_LARGE = 1000.0
# The share of score - base value up to which something hardly matters; a tolerance may be larger.
_LITTLE = 0.1

# Names that features have by default: a number, with the name of the input before it.
_INFERRED = re.compile(r"(.+\.)?f?\d+")


def has_summary(explanation: Explanation) -> bool:
    """Whether a summary makes sense: the sequence was explained, and somebody gave its features names."""
    names = [feature.name for feature in explanation.feature_info]
    return explanation.explained and not all(map(_INFERRED.fullmatch, names))


def summary_lines(explanation: Explanation) -> Iterator[str]:
    """The summary of the first target, line by line."""
    explanation = printable(explanation)
    words = Phrases(explanation, digits=2)
    target = explanation.targets[0]
    yield _opening(explanation)
    if explanation.labels:
        yield ", ".join(f"{key} {value}" for key, value in sorted(explanation.labels.items()))
    yield ""
    if not explanation.explained:
        yield f"{target.label or target.name}: {_rounded(target.score, 2)}. This is below the minimum to explain."
        return
    score, base = _scores(explanation)
    yield f"{_what(explanation)}: {score}. An average history gets {base}."
    yield from _reasons(words, explanation)
    # First what moved the score away from the base value, then what moved it back.
    first = -1 if target.score < target.base_value else 1
    yield from _part(f"What {_VERBS[first]} it, and by how much", _events(words, explanation, first))
    yield from _part(f"What {_VERBS[-first]} it", _events(words, explanation, -first))
    for sign in (first, -first):
        features = [_feature(words, explanation, item) for item in _top(explanation.features.values(), sign)]
        if features:
            text = (
                f"Over {_scope(explanation)}, these features {_VERBS[sign]} it most: {', '.join(features)}."
            )
            yield from ("", text)
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
    """Score and base value with two decimals, or with as many as tell them apart; large ones have none.

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


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield from ("", f"{title}:")
        yield from (f"  {number}. {line}" for number, line in enumerate(told, 1))


def _top(items: Iterable[Attribution], sign: int) -> list[Attribution]:
    """The strongest attributions of one sign, without those that may be 0 by their standard errors."""
    sure = [item for item in items if sign * item.value > 2 * item.standard_error]
    return sorted(sure, key=lambda item: -abs(item.value))[:_MOST]


def _events(words: Phrases, explanation: Explanation, sign: int) -> Iterator[str]:
    for item in _top(explanation.events, sign):
        yield f"{words.signed(item.value)}  {_when(words, item)}: {words.facts(item.t or 0)}"


def _reasons(words: Phrases, explanation: Explanation) -> Iterator[str]:
    """The main reasons, each with its rank and attribution. Tied ones have the same rank, which is marked by =."""
    reasons = explanation.reasons
    ranks = Counter(item.rank for item in reasons)
    if reasons:
        yield from ("", "Reasons:")
    for item in reasons:
        rank = f"{item.rank}{'=' if ranks[item.rank] > 1 else '.'}"
        yield f"  {rank} {words.signed(item.value)}  {item.text}"
    if max(ranks.values(), default=0) > 1:
        yield "  (= marks reasons that are equally strong within their errors.)"


def _when(words: Phrases, item: Attribution) -> str:
    return _event(words, item.t or 0)


def _event(words: Phrases, t: int) -> str:
    return words.time(t) or ("the latest event" if t == 0 else f"event t={t}")


def _older(words: Phrases, explanation: Explanation) -> Iterator[str]:
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
    yield from ("", f"{events} {weight}: {words.signed(pruned.value)} together{part}.")
