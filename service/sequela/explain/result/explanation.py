"""An explanation, exactly as it is stored and handed out. Numbers are plain floats, so that they survive
storage bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sequela.explain.options import Estimator, ResolvedOptions
from sequela.explain.request import EventInfo
from sequela.timeshap.players import PlayerKind
from sequela.timeshap.pruning import Verdict

METHOD_VERSION = "2"
"""Changes whenever the same question may get other numbers."""

PerTarget = tuple[float, ...]
"""One number for each target, in the order of `Explanation.targets`."""


class StopReason(StrEnum):
    """Why a level stopped."""

    EXACT = "exact"
    TARGET = "target"
    BUDGET = "budget"
    DEADLINE = "deadline"
    NOT_COMPUTED = "not_computed"


@dataclass(frozen=True, slots=True)
class Attribution:
    """What one player contributed. `feature` is a name; events are t ≤ 0, oldest and newest of the player."""

    kind: PlayerKind
    values: PerTarget
    standard_errors: PerTarget
    first_event: int | None = None
    last_event: int | None = None
    feature: str | None = None
    selection_uncertain: bool = False


@dataclass(frozen=True, slots=True)
class LevelQuality:
    """How sure a level is, and what it took. `seconds` is wall time. `estimator` is None where nothing was solved.

    players: those in the game. null_players: those that are 0 by definition, since all their cells equal the
    background's; the game is played without them.
    """

    stop_reason: StopReason
    players: int
    coalitions: int
    largest_standard_error: float
    additivity_residual: float
    detail: str = ""
    clipped_coalitions: int = 0
    selection_truncated: bool = False
    near_misses: tuple[Attribution, ...] = ()
    seconds: float = 0.0
    estimator: Estimator | None = None
    null_players: int = 0


@dataclass(frozen=True, slots=True)
class LevelExplanation:
    """One level; no attributions where it was not computed."""

    attributions: tuple[Attribution, ...]
    quality: LevelQuality


@dataclass(frozen=True, slots=True)
class PruningPoint:
    """w1 of the split after event t."""

    event: int
    importance: PerTarget


@dataclass(frozen=True, slots=True)
class Pruning:
    """What pruning did, and how honest it was: P's attribution, one verdict a target, and how sure they are.

    `verdicts` is empty where nothing was pruned or no game with P was solved.
    """

    pruned_events: int
    tolerance: PerTarget
    scan_complete: bool
    curve: tuple[PruningPoint, ...] = ()
    attribution: PerTarget = ()
    standard_error: PerTarget = ()
    verdicts: tuple[Verdict, ...] = ()
    history_attribution: PerTarget = ()
    quality: LevelQuality | None = None


@dataclass(frozen=True, slots=True)
class TargetScore:
    """f(B) and f(X) of one target, after the link and raw; f(B) is None where the score was below the minimum."""

    name: str
    base_value: float | None
    score: float
    raw_base_value: float | None
    raw_score: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took; outside the promise of reproducibility. Times in seconds by stage.

    model_events: events run, summed over rows: what model time follows. endpoint_rows, endpoint_calls: what left for
    an endpoint, in vain or again too.
    """

    model_rows: int = 0
    model_calls: int = 0
    model_events: int = 0
    stage_seconds: Mapping[str, float] | None = None
    cached: bool = False
    endpoint_rows: int = 0
    endpoint_calls: int = 0


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature as people read it."""

    name: str
    label: str
    unit: str
    description: str = ""
    static: bool = False


@dataclass(frozen=True, slots=True)
class EventValues:
    """One event's values as people read them, in the order of the event features; none for a pruned event."""

    event: int
    values: tuple[str, ...]
    info: EventInfo | None = None


@dataclass(frozen=True, slots=True)
class ExplanationWarning:
    """Something that an answer rests on and that its reader should know. `reason` is UPPER_SNAKE_CASE."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to a question. `name` is `explanations/{id}`; the digests are 64 hexadecimal digits."""

    name: str
    create_time: datetime
    caller_id: str
    labels: Mapping[str, str]
    model: str
    model_digest: str
    background: str
    background_digest: str
    event_count: int
    targets: tuple[TargetScore, ...]
    explained: bool
    pruning: Pruning | None
    event_level: LevelExplanation | None
    feature_level: LevelExplanation | None
    cell_level: LevelExplanation | None
    options: ResolvedOptions
    features: tuple[Feature, ...]
    event_values: tuple[EventValues, ...]
    static_values: tuple[str, ...]
    cost: Cost
    method_version: str = METHOD_VERSION
    cut_short: bool = False
    warnings: tuple[ExplanationWarning, ...] = ()
    output_count: int = 0
