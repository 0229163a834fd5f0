"""Warnings about an answer: omitted outputs, offsetting history, tolerances that are too large, clipped outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.base_and_score import BaseAndScore
from sequela.explain.explanation import Explanation, ExplanationWarning, Pruning, StopReason
from sequela.explain.levels.definition import LevelContext, LevelResults
from sequela.explain.link import LOWEST
from sequela.explain.option_defaults import (
    CELL_THRESHOLD,
    PRUNING_TOLERANCE,
    TARGET_STANDARD_ERROR,
    link_of,
)
from sequela.explain.options import Options
from sequela.explain.schema import Link, ModelSchema
from sequela.explain.task import Task
from sequela.timeshap.players import HISTORY_KINDS
from sequela.timeshap.pruning import Verdict

Warnings = tuple[ExplanationWarning, ...]

SCORE_ROUNDING = 2.0**-22
"""Differences below this fraction of a score may be rounding errors of a float32 model."""


def with_caveats(
    answer: Explanation, task: Task, scores: BaseAndScore, context: LevelContext, results: LevelResults
) -> Explanation:
    """Adds the warnings about the scores, the pruning and the levels."""
    names, link = task.targets.names, link_of(task.request.options, task.model.info.schema)
    absolute = bool(task.model.info.schema.bounded) and link is Link.IDENTITY
    difference = Difference(names, scores.base, scores.score, absolute)
    caveats = (
        *(history_offsets(names, context, results, answer.pruning) if answer.pruning else ()),
        *tolerance_exceeds_difference(difference, used_tolerances(context, absolute, results)),
        *(outputs_clipped(names, scores.raw) if link is Link.LOGIT else ()),
    )
    return replace(answer, warnings=(*answer.warnings, *caveats))


def with_whole_numbers_noted(answer: Explanation) -> Explanation:
    """Adds a warning that an endpoint answered with whole numbers only, unless its metadata has shown that."""
    reason = "OUTPUT_OF_WHOLE_NUMBERS"
    if any(warning.reason == reason for warning in answer.warnings):
        return answer
    text = "The endpoint answered with whole numbers only. If these are class labels, attributions explain jumps "
    text += "between labels, and the endpoint should serve probabilities instead."
    return replace(answer, warnings=(*answer.warnings, ExplanationWarning(reason, text)))


def outputs_left_out(options: Options, explained: int, schema: ModelSchema) -> Warnings:
    """Returns a warning if no target was named and the model has more outputs than are explained."""
    count, total = explained, len(schema.targets)
    if options.targets or count == total:
        return ()
    which = "the first" if schema.classes is False else "those with the highest scores"
    text = (
        f"{count:,} of {total:,} outputs were explained, {which}. To explain others, name them with targets."
    )
    return (ExplanationWarning("OUTPUTS_LEFT_OUT", text),)


def history_offsets(
    names: Sequence[str], context: LevelContext, results: LevelResults, pruning: Pruning
) -> Warnings:
    """Returns a warning if parts of the pruned events offset each other, with the amount and a remedy.

    If the history was already split, the warning says in how many blocks events still offset each other.

    Args:
        names: The names of the targets.
        context: The context that the levels shared.
        results: The results of the levels.
        pruning: The pruning part of the answer. If it has no verdicts, because P was not in any game, the pruning
            curve decides.
    """
    inside, tolerance = context.history, context.tolerances.pruning
    verdicts = pruning.verdicts or [Verdict.OFFSETTING] * len(names)
    hidden = np.array([each is Verdict.OFFSETTING for each in verdicts]) & (inside.peak > tolerance)
    if not hidden.any():
        return ()
    blocks = _blocks(results)
    if len(blocks) > 1:
        return _still_offset(inside.offsetting_blocks(blocks), len(blocks))
    # The text shows the target where the curve rises most.
    target = int(np.argmax(np.where(hidden, inside.peak, -1.0)))
    split = inside.farthest(target)
    worth, whole = inside.importance[split, target], inside.importance[-1, target]
    text = (
        f"Parts of the {context.pruned} pruned events offset each other for target {names[target]}. According to the "
        f"pruning curve, all of them together contribute {whole:+.3g}, but the {split} oldest "
        f"(up to t={split - context.extent.length}) contribute {worth:+.3g}, which exceeds the tolerance of "
        f"{tolerance[target]:.3g}. Set refine_history to split them there, or a smaller pruning_tolerance to prune "
        "fewer events."
    )
    return (ExplanationWarning("HISTORY_OFFSETS", text),)


def _still_offset(count: int, parts: int) -> Warnings:
    if not count:
        return ()
    text = (
        f"The pruned events were split into {parts} parts. In {count} of them, events still offset each other by "
        "more than the tolerance. Set a smaller pruning_tolerance to prune fewer events."
    )
    return (ExplanationWarning("HISTORY_OFFSETS", text),)


def _blocks(results: LevelResults) -> list[int]:
    """Returns the sizes of the history blocks in the game that judged P, or [] if it was not solved."""
    first = next(iter(results.values()), None)
    if first is None or first.outcome.solution is None:
        return []
    players = first.outcome.players.names
    return [player.events for player in players if player.kind in HISTORY_KINDS]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The difference between score and base value, which an explanation attributes to players.

    Attributes:
        names: The targets.
        base: f(B) on the link's scale, (targets,).
        score: f(X) on the link's scale, (targets,).
        logit: Whether to suggest the logit link, with which default tolerances are relative to the difference.
    """

    names: Sequence[str]
    base: NDArray[np.float64]
    score: NDArray[np.float64]
    logit: bool

    @property
    def size(self) -> NDArray[np.float64]:
        """|f(X) - f(B)|, (targets,)."""
        return np.abs(self.score - self.base)

    @property
    def rounding(self) -> NDArray[np.bool_]:
        """Which differences may be rounding errors of a float32 model, (targets,)."""
        return self.size <= SCORE_ROUNDING * np.maximum(np.abs(self.base), np.abs(self.score))


@dataclass(frozen=True, slots=True, eq=False)
class UsedTolerance:
    """A tolerance that an answer used.

    Attributes:
        option: The name of the option.
        used: The value, (targets,).
        usual: The default for outputs without bounds, as a fraction of the difference.
        effective: Whether the answer might be different without it.
    """

    option: str
    used: NDArray[np.float64]
    usual: float
    effective: bool

    def __str__(self) -> str:
        return self.option.replace("_", " ")


def used_tolerances(context: LevelContext, absolute: bool, results: LevelResults) -> list[UsedTolerance]:
    """Returns the tolerances, and whether each one had an effect.

    η has an effect if events were pruned, θ if no cell exceeded it, and a target error if sampling stopped because of
    it.

    Args:
        context: The context that the levels shared.
        absolute: Whether the defaults are absolute. If not, they are fractions of the difference and cannot exceed it,
            so only tolerances from the request are returned.
        results: The results of the levels.
    """
    options, used = context.options, context.tolerances
    games = [game for result in results.values() for game in result.games]
    pruned = any(player.kind in HISTORY_KINDS for game in games for player in game.players.names)
    stopped = any(game.reason is StopReason.TARGET for game in games)
    # If no cell stands alone, a smaller θ would give another answer.
    none_passed = any(result.nothing_relevant for result in results.values())
    requested = {
        "pruning_tolerance": options.pruning_tolerance,
        "cell_threshold": options.cell_threshold,
        "target_standard_error": options.target_standard_error,
    }
    found = [
        UsedTolerance("pruning_tolerance", used.pruning, PRUNING_TOLERANCE, pruned),
        UsedTolerance("target_standard_error", used.standard_error, TARGET_STANDARD_ERROR, stopped),
    ]
    if used.cells is not None:
        found.insert(1, UsedTolerance("cell_threshold", used.cells, CELL_THRESHOLD, none_passed))
    return [each for each in found if absolute or requested[each.option] is not None]


def tolerance_exceeds_difference(difference: Difference, tolerances: Sequence[UsedTolerance]) -> Warnings:
    """Returns a warning if a tolerance that had an effect is at least as large as the whole difference of a target.

    The warning also names other tolerances that are as large.
    """
    # Only the first target is judged here: others may well have no effect at all.
    if difference.size[0] and difference.rounding[0]:
        text = (
            f"Score and base value of {difference.names[0]} differ by only {difference.size[0]:.1g}, which may be a "
            "rounding error of a float32 model. Either no player matters, or their contributions cancel out."
        )
        return (ExplanationWarning("DIFFERENCE_IS_ROUNDING", text),)
    exceeded = [(each.used >= difference.size) & ~difference.rounding for each in tolerances]
    # A tolerance that had no effect does not need a warning of its own.
    affected = np.any([at for each, at in zip(tolerances, exceeded, strict=True) if each.effective], axis=0)
    if not affected.any():
        return ()
    target = int(affected.argmax())
    text = _too_large(
        difference, target, [each for each, at in zip(tolerances, exceeded, strict=True) if at[target]]
    )
    others = int(affected.sum()) - 1
    more = f" The same holds for {others} more target{'s' * (others > 1)}." if others else ""
    return (ExplanationWarning("TOLERANCE_EXCEEDS_DIFFERENCE", text + more),)


def outputs_clipped(names: Sequence[str], raw: NDArray[np.float64]) -> Warnings:
    """Returns a warning if probabilities are so close to 0 or 1 that clipping determines their log-odds.

    Args:
        names: The names of the targets.
        raw: f(B) and f(X) before the link, (2, targets).
    """
    clipped = (raw <= LOWEST) | (raw >= 1 - LOWEST)
    if not clipped.any():
        return ()
    target = int(clipped.any(axis=0).argmax())
    which = _joined(
        [word for word, at in zip(("base value", "score"), clipped[:, target], strict=True) if at]
    )
    text = (
        f"The {which} of {names[target]} cannot be distinguished from 0 or 1, so the logit link limits the log-odds to "
        f"the range from {np.log(LOWEST):.1f} to {-np.log(LOWEST):.1f}. The size of the difference depends on "
        "this limit. "
        "The identity link has no such limit."
    )
    return (ExplanationWarning("OUTPUT_CLIPPED", text),)


def _too_large(difference: Difference, target: int, named: Sequence[UsedTolerance]) -> str:
    size = difference.size[target]
    words = _joined([f"the {each} of {each.used[target]:.2g}" for each in named])
    smaller = ", ".join(f"{each.option} {each.usual * size:.1g}" for each in named)
    logit = ""
    if difference.logit:
        logit = ", or use the logit link, whose default tolerances are relative to the difference"
    return (
        f"Score and base value of {difference.names[target]} differ by {size:.2g}, which does not exceed {words}, so "
        f"relevant contributions may be hidden. Set smaller values, for example {smaller}{logit}."
    )


def _joined(words: Sequence[str]) -> str:
    """Joins words for a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
