"""The event level: every unpruned event is a player (TimeSHAP Eq. 7, docs/design.md §4.2-4.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sequela.explain.estimate.rules import GameRules
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.levels.definition import LevelContext, LevelDefinition, LevelResult, LevelResults
from sequela.explain.options import Level, Options
from sequela.timeshap.players import event_players

MAX_BLOCKS = 8
"""The largest number of blocks into which `refine_history` splits P. Each split plays the level again."""

Blocks = tuple[int, ...]
"""The numbers of events in the blocks of pruned events, oldest block first."""


@dataclass(frozen=True, slots=True, eq=False)
class EventResult(LevelResult):
    """The result of the event level.

    Attributes:
        coarse: The game with P as one player. It is also the level's game, unless the history was refined.
    """

    coarse: GameOutcome

    @property
    def games(self) -> tuple[GameOutcome, ...]:
        """As in `LevelResult`."""
        return (self.outcome, self.coarse)

    @property
    def unrefined(self) -> GameOutcome:
        """As in `LevelResult`."""
        return self.coarse


def play_events(context: LevelContext, rules: GameRules, _: LevelResults) -> EventResult:
    """Plays the unpruned events and P, and with `refine_history` plays again for every split of P."""
    blocks: Blocks = (context.pruned,) if context.pruned else ()
    coarse = _play_blocks(context, rules, blocks)
    if not context.options.refine_history:
        return EventResult(coarse, coarse)
    return EventResult(_refine(context, rules, blocks, coarse), coarse)


def _refine(context: LevelContext, rules: GameRules, blocks: Blocks, coarse: GameOutcome) -> GameOutcome:
    """Splits P while one of its blocks matters, or contains parts that offset each other (docs/design.md §4.3)."""
    outcome, history = coarse, context.history
    while outcome.solution is not None and not outcome.out_of_time and len(blocks) < MAX_BLOCKS:
        # Blocks are the first players, so their attributions are the first rows.
        rows = slice(0, len(blocks))
        index = history.to_split(blocks, outcome.solution.values[rows], outcome.solution.errors[rows])
        if index is None:
            break
        blocks = history.split(blocks, index)
        # All games of the level share its deadline, so a finer game has less time than the one before.
        finer = _play_blocks(context, rules, blocks)
        if finer.solution is None:
            # Answer with the previous game, and say why it was not refined further.
            detail = f"the history was not refined further: {finer.detail}"
            return replace(outcome, detail=detail, out_of_time=finer.out_of_time)
        outcome = finer
    return outcome


def _play_blocks(context: LevelContext, rules: GameRules, blocks: Blocks) -> GameOutcome:
    return context.play(event_players(context.extent, blocks), rules)


def _needs_whole_curve(options: Options) -> bool:
    """Returns whether P may be split. The curve within P says where."""
    return options.refine_history


EVENT_LEVEL = LevelDefinition(
    name=Level.EVENT.value, time_share=0.4, play=play_events, needs_whole_curve=_needs_whole_curve
)
