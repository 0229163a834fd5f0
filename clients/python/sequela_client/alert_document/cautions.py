"""The warnings that a reader needs before relying on an explanation, each in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterator

from sequela_client.alert_document.material import Material
from sequela_client.alert_document.words import amount, counted, scale_noun, signed
from sequela_client.attributions import PlayerKind, StopReason
from sequela_client.explanation_parts import Verdict


def cautions(material: Material) -> tuple[str, ...]:
    """Returns what is wrong or limited, the most serious first."""
    return tuple(
        dict.fromkeys(
            (
                *_whole(material),
                *_older_events(material),
                *_levels(material),
                *(each.message for each in material.explanation.warnings),
            )
        )
    )


def _whole(material: Material) -> Iterator[str]:
    explanation = material.explanation
    if not explanation.explained:
        minimum = explanation.options.minimum_score
        named = "" if minimum is None else f" of {minimum:g} that the request named"
        yield f"The score was not explained, because it is below the minimum score{named}."
    if explanation.cut_short:
        yield "The deadline ended the computation early. Explain it again with more time for better numbers."
    if material.table_problem:
        yield material.table_problem


def _older_events(material: Material) -> Iterator[str]:
    explanation, pruning = material.explanation, material.explanation.pruning
    if not pruning.scan_complete and explanation.explained and pruning.curve:
        yield "The deadline ended the search for events that matter, so the older ones may hide some."
    if not pruning.pruned_events or len(pruning.values) <= material.target:
        return
    value, verdict = pruning.values[material.target], _verdict(material)
    tolerance = pruning.tolerances[material.target] if pruning.tolerances else 0.0
    older = f"The {counted(pruning.pruned_events, 'older event')} taken together"
    changed = f"changed the {scale_noun(explanation)} by"
    if verdict is Verdict.EXCEEDS:
        yield (
            f"{older} {changed} {signed(value)}, which is more than the limit of {amount(tolerance)}. "
            "Split them to see which of them matter."
        )
    if verdict is Verdict.UNCERTAIN:
        yield (
            f"{older} {changed} {signed(value)}; whether that exceeds the limit of {amount(tolerance)} is "
            "not certain."
        )
    if verdict is Verdict.OFFSETTING:
        yield (
            f"{older} {changed} only {signed(value)}, but parts of them push it up and others down by more "
            f"than the limit of {amount(tolerance)}. Split them to see which."
        )
    yield from _as_strong_as_a_reason(material, older, value)


def _verdict(material: Material) -> Verdict:
    verdicts = material.explanation.pruning.verdicts
    return verdicts[material.target] if len(verdicts) > material.target else Verdict.UNKNOWN


def _as_strong_as_a_reason(material: Material, older: str, value: float) -> Iterator[str]:
    explanation = material.explanation
    reasons = explanation.reasons_by_target.get(explanation.targets[material.target].name, ())
    weakest = min((abs(each.value) for each in reasons), default=None)
    if weakest is not None and abs(value) >= weakest:
        yield f"{older} count for {signed(value)}, as much as the weakest of the reasons shown."


def _levels(material: Material) -> Iterator[str]:
    for name, level in material.explanation.levels.items():
        if level.quality.stop_reason is StopReason.NOT_COMPUTED:
            yield f"The effects of {_WHAT.get(name, name)} were not computed: {level.quality.detail}"
        if level.quality.selection_truncated:
            yield f"Some {_WHAT.get(name, name)} were left out, because there were too many."
    cells = material.explanation.cell_level
    if cells is None:
        return
    uncertain = sum(each.selection_uncertain and each.kind is PlayerKind.CELL for each in cells.attributions)
    if uncertain:
        yield (
            f"{counted(uncertain, 'single value')} may not belong among the strongest: the events or features were "
            "chosen by a margin that is within the error."
        )


_WHAT = {"event": "events", "feature": "features", "cell": "single values"}
