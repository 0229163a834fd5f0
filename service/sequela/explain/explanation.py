"""The explanation, exactly as it is stored and returned.

Numbers are plain floats, so that storing them changes no bit.
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
"""Changes whenever the same request may get other numbers."""

PerTarget = tuple[float, ...]
"""One number for each target, in the order of `Explanation.targets`."""


class StopReason(StrEnum):
    """Why a level stopped (docs/design.md §4.5)."""

    EXACT = "exact"
    TARGET = "target"
    BUDGET = "budget"
    DEADLINE = "deadline"
    NOT_COMPUTED = "not_computed"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The attribution of one player.

    Attributes:
        kind: What the player stands for.
        values: φ.
        standard_errors: Their standard errors; 0 if the game was enumerated.
        first_event: The player's oldest event, t <= 0; None if it is not bound to events.
        last_event: Its newest event.
        feature: The name of its feature, if it has one.
        selection_uncertain: The player is there by a choice within two standard errors of the border.
    """

    kind: PlayerKind
    values: PerTarget
    standard_errors: PerTarget
    first_event: int | None = None
    last_event: int | None = None
    feature: str | None = None
    selection_uncertain: bool = False


@dataclass(frozen=True, slots=True)
class LevelQuality:
    """How sure a level is, and what it took.

    Attributes:
        stop_reason: Why it stopped.
        players: The players of the game, without null players.
        coalitions: The coalitions that were evaluated.
        largest_standard_error: Over players and targets.
        additivity_residual: The largest |Σ φ - (f(X) - f(B))| over targets.
        detail: Why the level was not computed, or is coarser than it could be.
        clipped_coalitions: Coalitions whose probability the logit link clipped.
        selection_truncated: Events or features were dropped to bound the number of cell players.
        near_misses: Players that just missed being opened into cells.
        seconds: Wall time.
        estimator: The estimator that was used; None if nothing was estimated.
        null_players: Players whose cells all equal the background's. Their attribution is 0.
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
    """One level. It has no attributions if it was not computed."""

    attributions: tuple[Attribution, ...]
    quality: LevelQuality


@dataclass(frozen=True, slots=True)
class PruningPoint:
    """A point of the pruning curve: w1 of the split after event t <= 0."""

    event: int
    importance: PerTarget


@dataclass(frozen=True, slots=True)
class Pruning:
    """What pruning did, and what the pruned block P is worth (docs/design.md §4.3).

    Attributes:
        pruned_events: The number of events in P.
        tolerance: η.
        scan_complete: False if time ran out in the scan.
        curve: The splits that were scanned, from the recent end.
        attribution: That of P as one player; empty if nothing was pruned, or no game with P was solved.
        standard_error: Its standard error.
        verdicts: How it compares with η, one for each target.
        history_attribution: The sum over the blocks that P was split into; empty if it was not split.
        quality: How sure the attribution is.
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
    """f(B) and f(X) of one target, after the link and raw. f(B) is None if the score was below the minimum."""

    name: str
    base_value: float | None
    score: float
    raw_base_value: float | None
    raw_score: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer took. It is not part of what is reproducible.

    Attributes:
        model_rows: Rows that the model was asked about.
        model_calls: Calls of the model.
        model_events: Events that were run, summed over rows. The time of a model in this process follows it.
        stage_seconds: Wall time by step.
        cached: The answer was stored before.
        endpoint_rows: Rows that were sent to an endpoint, also in calls that failed or were repeated.
        endpoint_calls: Calls that were sent to an endpoint.
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
    """The texts of a feature."""

    name: str
    label: str
    unit: str
    description: str = ""
    static: bool = False


@dataclass(frozen=True, slots=True)
class EventValues:
    """The values of one event as people read them, in the order of the event features; empty for a pruned event."""

    event: int
    values: tuple[str, ...]
    info: EventInfo | None = None


@dataclass(frozen=True, slots=True)
class ExplanationWarning:
    """Something that the reader of an answer should know. `reason` is stable, in UPPER_SNAKE_CASE."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to a request.

    Attributes:
        name: `explanations/{id}`.
        create_time: When it was computed.
        caller_id: The caller's own id of what is explained.
        labels: The caller's labels.
        model: `models/m/versions/v`.
        model_digest: 64 hexadecimal digits.
        background: `models/m/backgrounds/b`; empty if the background has no name.
        background_digest: 64 hexadecimal digits.
        event_count: The number of real events.
        targets: The scores of the targets that are explained.
        explained: False if the score was below the minimum; the answer then has scores alone.
        pruning: None if no level needed a cut.
        levels: The levels by name, in the order in which they were computed.
        options: Those that were used.
        features: The features, event features first.
        event_values: The events that stand alone, oldest first.
        static_values: The values of the static features.
        cost: What the answer took.
        method_version: The method's version.
        cut_short: The deadline had an effect on the numbers.
        warnings: What the reader should know.
        output_count: The number of the model's outputs.
    """

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
    levels: Mapping[str, LevelExplanation]
    options: ResolvedOptions
    features: tuple[Feature, ...]
    event_values: tuple[EventValues, ...]
    static_values: tuple[str, ...]
    cost: Cost
    method_version: str = METHOD_VERSION
    cut_short: bool = False
    warnings: tuple[ExplanationWarning, ...] = ()
    output_count: int = 0
