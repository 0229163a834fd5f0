"""Writes what a page says about the explanation as a whole: head, quality, and how it was made."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.attributions import NORMAL_95, LevelAttributions, StopReason
from sequela_client.phrases import Phrases, quality, sureness

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

QUALITY_HEADS = (
    "Level",
    "Accuracy",
    "Players",
    "Largest standard error",
    "Sum minus difference",
    "Estimator",
)

READING = (
    "The score of the sequence is compared with the base value: the score of a background that stands for “nothing "
    "known”. Each attribution says how much of the difference an event, a feature or a single fact accounts for. At "
    "each level, the attributions add up to the whole difference.",
    "Events are counted back from the latest one, which is t=0; t=−1 is the one before. Older events that hardly "
    "matter are taken together and count as one.",
    "All this is about the model, not about the world: it says what the score depends on, not what caused an event, "
    "and not whether the score is right.",
)


MARKS = (
    "A plus means towards a higher score, a minus towards a lower one. Filled bars to the right of the line raise the "
    "score, outlined bars to its left lower it; colour only repeats this. “±” is half of the 95 % interval, which is "
    "drawn as a line with ends; about 95 of 100 such intervals contain the true value. “Exact” means that there is no "
    "sampling error."
)
"""What signs and bars mean in the tables."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value."""

    name: str
    text: str


def head_facts(explanation: Explanation, words: Phrases) -> tuple[Fact, ...]:
    """Returns the facts below the headline."""
    target = explanation.targets[0]
    facts = [Fact("Score", words.number(target.score))]
    if explanation.explained:
        facts.append(Fact("Base value", words.number(target.base_value)))
        facts.append(Fact("Accuracy", accuracy(explanation)))
    facts += [
        Fact("Events", f"{explanation.length}, of which {explanation.pruning.pruned_events} taken together"),
        Fact("Model", explanation.model.removeprefix("models/").replace("/versions/", ", version ")),
        Fact("Background", explanation.background or "the model's own, or as sent"),
        Fact("Seed", str(explanation.options.seed)),
        Fact("Explained at", f"{explanation.create_time:%Y-%m-%d %H:%M:%S %Z}".strip()),
    ]
    return tuple(facts)


def accuracy(explanation: Explanation) -> str:
    """Says how accurate the least accurate level is, in a few words."""
    computed = [level.quality for level in explanation.levels.values() if level.attributions]
    errors = [level.largest_standard_error for level in computed]
    if not computed:
        return "nothing was computed"
    if all(level.stop_reason is StopReason.EXACT for level in computed) or not max(errors):
        return "exact"
    late = " (stopped by the deadline)" if explanation.cut_short else ""
    return f"± {NORMAL_95 * max(errors):.2g} or better{late}"


def decision(explanation: Explanation) -> str:
    """Says how the raw score compares with the threshold; empty if no label has a threshold."""
    try:
        threshold = float(explanation.labels.get("threshold", ""))
    except ValueError:
        return ""
    # float() also reads nan and inf, which no score can be compared with.
    if not math.isfinite(threshold):
        return ""
    score = explanation.targets[0].raw_score
    side = "reaches" if score >= threshold else "is below"
    return f"The score of {score:.4g} {side} the threshold of {threshold:.4g}."


def quality_rows(explanation: Explanation) -> tuple[tuple[str, ...], ...]:
    """Returns one row for each level, and one for the pruned events if their attribution was computed separately."""
    rows = [_quality_row(name, level) for name, level in explanation.levels.items()]
    pruned = explanation.pruning.quality
    # Often it comes from the event level, whose row says the same.
    if pruned is not None and all(pruned != level.quality for level in explanation.levels.values()):
        rows.append(("pruned events", sureness(pruned), str(pruned.players), "", "", pruned.estimator or "–"))
    return tuple(rows)


def _quality_row(name: str, level: LevelAttributions) -> tuple[str, ...]:
    known = level.quality
    near = f"; {len(known.near_misses)} narrowly missed the cells" if known.near_misses else ""
    cut = "; weaker players were dropped to stay within the limit" if known.selection_truncated else ""
    return (
        name.replace("_", " "),
        quality(known) + near + cut,
        str(known.players),
        f"{known.largest_standard_error:.2g}",
        f"{known.additivity_residual:.1e}" if known.additivity_residual else "0",
        known.estimator.replace("_", " ") or "–",
    )


def audit_facts(explanation: Explanation) -> Iterator[Fact]:
    """Returns everything that is needed to repeat the request and to recognise the answer."""
    yield Fact("Explanation", explanation.name or "a dry run, not stored")
    yield Fact("Your id", explanation.caller_id or "–")
    if explanation.requested_by:
        yield Fact("Asked by", explanation.requested_by)
    for key, text in sorted(explanation.labels.items()):
        yield Fact(f"Label {key}", text)
    yield Fact("Made at", explanation.create_time.isoformat())
    yield Fact("Model", explanation.model)
    yield Fact("Digest of the model", explanation.model_digest)
    yield Fact("Background", explanation.background or "–")
    yield Fact("Digest of the background", explanation.background_digest)
    yield Fact("Version of the method", explanation.method_version)
    # All options, so that one that is added later is not forgotten here.
    for field in dataclasses.fields(explanation.options):
        yield Fact(f"Option {field.name}", _option(getattr(explanation.options, field.name)))
    cost = explanation.cost
    yield Fact("Rows of the model", f"{cost.model_rows:,} in {cost.model_calls:,} calls")
    yield Fact("Time", f"{sum(cost.stage_seconds.values()):.3f} s{', from the store' if cost.cached else ''}")
    yield Fact("Cut short by the deadline", _option(explanation.cut_short))


def _option(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_option, value)) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value in (None, "") else str(value)
