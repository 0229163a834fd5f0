"""What an answer rests on that its reader should know: outputs left out, history that offsets, tolerances too large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.game import GameOutcome
from sequela.explain.levels import CellGame, EventGame, LevelContext
from sequela.explain.link import LOWEST
from sequela.explain.option_defaults import (
    CELL_THRESHOLD,
    PRUNING_TOLERANCE,
    TARGET_STANDARD_ERROR,
    Tolerances,
)
from sequela.explain.options import Options
from sequela.explain.result.explanation import ExplanationWarning, StopReason
from sequela.explain.schema import ModelSchema
from sequela.timeshap.players import PlayerKind
from sequela.timeshap.pruning import Verdict

Warnings = tuple[ExplanationWarning, ...]

PAST = (PlayerKind.PRUNED, PlayerKind.HISTORY)
ROUNDING = 2.0**-22
"""Of a score: smaller differences may be a float32 model's rounding."""


def outputs_left_out(options: Options, explained: int, schema: ModelSchema) -> Warnings:
    """Where no target was named, and the model has more outputs than are explained."""
    count, total = explained, len(schema.targets)
    if options.targets or count == total:
        return ()
    which = "the first" if schema.classes is False else "those with the highest scores"
    text = f"{count:,} of {total:,} outputs were explained, {which}; name others with targets."
    return (ExplanationWarning("OUTPUTS_LEFT_OUT", text),)


def history_offsets(
    names: Sequence[str], shared: LevelContext, events: EventGame | None, found: Sequence[Verdict]
) -> Warnings:
    """Where parts of the pruned events offset each other: how much, and what helps; or, where they were split already,
    in how many parts they still do. found: the verdicts, none where P was in no game.
    """
    inside, tolerance = shared.history, shared.tolerance
    verdicts = found or [Verdict.OFFSETTING] * len(names)
    hidden = np.array([verdict is Verdict.OFFSETTING for verdict in verdicts]) & (inside.peak > tolerance)
    if not hidden.any():
        return ()
    blocks = _blocks(events)
    if len(blocks) > 1:
        return _still_offset(inside.hiding(blocks), len(blocks))
    target = int(np.argmax(np.where(hidden, inside.peak, -1.0)))
    split = inside.farthest(target)
    worth, whole = inside.importance[split, target], inside.importance[-1, target]
    text = (
        f"Parts of the {shared.pruned} pruned events offset each other for target {names[target]}: by the pruning "
        f"curve all of them together are worth {whole:+.3g}, but the {split} oldest "
        f"(up to t={split - shared.extent.length}) alone are worth {worth:+.3g}, more than the tolerance of "
        f"{tolerance[target]:.3g}. refine_history splits them there; "
        "a smaller pruning_tolerance prunes fewer events."
    )
    return (ExplanationWarning("HISTORY_OFFSETS", text),)


def _still_offset(hiding: int, parts: int) -> Warnings:
    if not hiding:
        return ()
    text = (
        f"The pruned events were split into {parts} parts, and in {hiding} of these events still offset each other by "
        "more than the tolerance; a smaller pruning_tolerance prunes fewer events."
    )
    return (ExplanationWarning("HISTORY_OFFSETS", text),)


def _blocks(events: EventGame | None) -> list[int]:
    """The sizes of the blocks of history in the event level's game; none where it was not solved."""
    if events is None or events.level.solution is None:
        return []
    return [player.events for player in events.level.players.names if player.kind in PAST]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What there is to explain: the targets' names, f(B) and f(X) on the link's scale, (targets,). logit: whether the
    logit link would make it larger.
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
        """Where it is no more than what a float32 model may lose, (targets,)."""
        return self.size <= ROUNDING * np.maximum(np.abs(self.base), np.abs(self.score))


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """A tolerance, and whether the answer would be another without it. used: (targets,). usual: the fraction of the
    difference that is used for outputs without bounds.
    """

    option: str
    used: NDArray[np.float64]
    usual: float
    effective: bool

    def __str__(self) -> str:
        return self.option.replace("_", " ")


def limits_of(
    options: Options, absolute: bool, used: Tolerances, played: Sequence[GameOutcome], cells: CellGame | None
) -> list[Limit]:
    """The tolerances: η has an effect where events were pruned, θ where no cell passed, a target error where sampling
    stopped. absolute: those that the question leaves out are no fractions of the difference, which could not exceed it.
    """
    pruned = any(player.kind in PAST for each in played for player in each.players.names)
    stopped = any(each.reason is StopReason.TARGET for each in played)
    none_passed = cells is not None and _none_passed(cells)
    found = [
        (options.pruning_tolerance, "pruning_tolerance", used.pruning, PRUNING_TOLERANCE, pruned),
        (options.cell_threshold, "cell_threshold", used.cells, CELL_THRESHOLD, none_passed),
        (
            options.target_standard_error,
            "target_standard_error",
            used.standard_error,
            TARGET_STANDARD_ERROR,
            stopped,
        ),
    ]
    return [
        Limit(option, values, usual, effective)
        for asked, option, values, usual, effective in found
        if values is not None and (absolute or asked is not None)
    ]


def _none_passed(cells: CellGame) -> bool:
    return cells.played.solution is not None and not (cells.events.chosen and cells.features.chosen)


def tolerance_exceeds_difference(there: Difference, limits: Sequence[Limit]) -> Warnings:
    """Where a tolerance that had an effect is no smaller than all there is to explain of a target; others that are no
    smaller either are named with it.
    """
    if there.size[0] and there.rounding[0]:
        text = (
            f"Score and base value of {there.names[0]} differ by {there.size[0]:.1g} only, which may be a float32 "
            "model's rounding: either nothing matters, or what does cancels out."
        )
        return (ExplanationWarning("DIFFERENCE_IS_ROUNDING", text),)
    exceeded = [(each.used >= there.size) & ~there.rounding for each in limits]
    affected = np.any([at for each, at in zip(limits, exceeded, strict=True) if each.effective], axis=0)
    if not affected.any():
        return ()
    target = int(affected.argmax())
    text = _too_large(there, target, [each for each, at in zip(limits, exceeded, strict=True) if at[target]])
    others = int(affected.sum()) - 1
    more = f" The same holds for {others} more target{'s' * (others > 1)}." if others else ""
    return (ExplanationWarning("TOLERANCE_EXCEEDS_DIFFERENCE", text + more),)


def outputs_clipped(names: Sequence[str], raw: NDArray[np.float64]) -> Warnings:
    """Where log-odds have no end but the clipping's. raw: f(B) and f(X) as the model gave them, (2, targets)."""
    ends = (raw <= LOWEST) | (raw >= 1 - LOWEST)
    if not ends.any():
        return ()
    target = int(ends.any(axis=0).argmax())
    which = _joined([word for word, at in zip(("base value", "score"), ends[:, target], strict=True) if at])
    text = (
        f"The {which} of {names[target]} cannot be told from 0 or 1, so the logit link takes log-odds of "
        f"{np.log(LOWEST):.1f} or {-np.log(LOWEST):.1f} for it: the difference is as large as this bound makes it. "
        "The identity link has no such bound."
    )
    return (ExplanationWarning("OUTPUT_CLIPPED", text),)


def _too_large(there: Difference, target: int, named: Sequence[Limit]) -> str:
    size = there.size[target]
    words = _joined([f"the {each} of {each.used[target]:.2g}" for each in named])
    smaller = ", ".join(f"{each.option} {each.usual * size:.1g}" for each in named)
    logit = ", or the link logit, whose tolerances follow the difference" if there.logit else ""
    return (
        f"Score and base value of {there.names[target]} differ by {size:.2g}, which is no more than {words}: what "
        f"matters may be hidden. Smaller values help, for example {smaller}{logit}."
    )


def _joined(words: Sequence[str]) -> str:
    """As a list is read."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
