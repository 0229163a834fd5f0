"""The explanation, exactly as it is stored and returned.

Numbers are Python floats, so that storing and loading an explanation does not change them.
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

METHOD_VERSION = "7"
"""Changes whenever the same request may get a different answer. Stored answers of another version are not reused."""

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
        values: The attributions φ.
        standard_errors: The standard errors of φ; 0 if the game was enumerated.
        first_event: The player's oldest event, t <= 0; None if it does not belong to certain events.
        last_event: The player's newest event.
        feature: The name of its feature, if it has one.
        selection_uncertain: Whether the player was selected by a margin of less than two standard errors.
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
    """The accuracy and the cost of a level.

    Attributes:
        stop_reason: Why sampling stopped.
        players: The number of players in the game, without null players.
        coalitions: The number of coalitions that were evaluated.
        largest_standard_error: The largest standard error over players and targets.
        additivity_residual: The largest |Σ φ - (f(X) - f(B))| over targets.
        detail: Why the level was not computed, or is coarser than it could be.
        clipped_coalitions: The number of coalitions whose probability the logit link clipped.
        selection_truncated: Whether events or features were dropped to limit the number of cell players.
        near_misses: Events or features that were not selected for cells by a narrow margin.
        seconds: Wall time.
        estimator: The estimator that was used; None if nothing was estimated.
        null_players: The number of players whose cells all equal the background's. Their attribution is 0.
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
    """The explanation of one level. It has no attributions if it was not computed."""

    attributions: tuple[Attribution, ...]
    quality: LevelQuality


@dataclass(frozen=True, slots=True)
class PruningPoint:
    """A point of the pruning curve: w1 of the split after event t <= 0."""

    event: int
    importance: PerTarget


@dataclass(frozen=True, slots=True)
class Pruning:
    """The pruning part of an answer, with the attribution of the pruned block P (docs/design.md §4.3).

    Attributes:
        pruned_events: The number of events in P.
        tolerance: η.
        scan_complete: Whether the scan ended before time ran out.
        curve: The splits that were scanned, most recent first.
        attribution: The attribution of P as one player; empty if nothing was pruned or no game with P was solved.
        standard_error: The standard error of `attribution`.
        verdicts: How `attribution` compares with η, for each target.
        history_attribution: The sum of the attributions of the blocks into which P was split; empty if it was not.
        quality: The accuracy of `attribution`.
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
    """f(B) and f(X) for one target, raw and after the link. f(B) is None if the score was below the minimum."""

    name: str
    base_value: float | None
    score: float
    raw_base_value: float | None
    raw_score: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an answer. Unlike the rest of the answer, it is not reproducible.

    Attributes:
        model_rows: The number of rows that the model scored.
        model_calls: The number of model calls.
        model_events: The number of events that were run, summed over rows. The time that a model in this process takes
            is roughly proportional to it.
        stage_seconds: Wall time of each step.
        cached: Whether the answer had been stored before.
        endpoint_rows: The number of rows sent to an endpoint, including calls that failed or were repeated.
        endpoint_calls: The number of calls sent to an endpoint.
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
    """The name of a feature, and its texts for people."""

    name: str
    label: str
    unit: str
    description: str = ""
    static: bool = False


@dataclass(frozen=True, slots=True)
class EventValues:
    """The displayed values of one event, in the order of the event features. They are empty for a pruned event."""

    event: int
    values: tuple[str, ...]
    info: EventInfo | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the main reasons for a target's score, as a sentence.

    Attributes:
        target: The name of the target.
        text: The sentence.
        template: The template that it was made from: `templates[3]` of the schema's reasons, or `default`.
        template_version: The version of the schema's templates, or of the built-in texts.
        kind: CELL, FEATURE or EVENT.
        value: The attribution φ to the target.
        standard_error: The standard error of φ.
        event: The event t <= 0 of a cell or an event.
        feature: The name of the feature of a cell or a feature.
        tied: Whether it is not clearly weaker than the reason before it.
    """

    target: str
    text: str
    template: str
    template_version: str
    kind: PlayerKind
    value: float
    standard_error: float
    event: int | None = None
    feature: str | None = None
    tied: bool = False


@dataclass(frozen=True, slots=True)
class ExplanationWarning:
    """Something that the reader of an answer should know. `reason` is stable, in UPPER_SNAKE_CASE."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to a request.

    Attributes:
        name: `explanations/{id}`; empty for a dry run, which is not stored.
        create_time: When it was computed.
        caller_id: The caller's own id for what is explained.
        labels: The caller's labels.
        model: `models/m/versions/v`.
        model_digest: 64 hexadecimal digits.
        background: `models/m/backgrounds/b`; empty if the background has no name.
        background_digest: 64 hexadecimal digits.
        event_count: The number of real events.
        targets: The scores of the targets that are explained.
        explained: False if the score was below the minimum, in which case the answer only has scores.
        pruning: The pruning part; None if no level needed a cut.
        levels: The levels by name, in the order in which they were computed.
        options: The options that were used.
        features: The features, event features first.
        event_values: The values of events that are players of their own, oldest first.
        static_values: The values of the static features.
        cost: The cost of the answer.
        method_version: The version of the method.
        cut_short: Whether the deadline had an effect on the numbers.
        warnings: What a reader of the answer should know.
        output_count: The number of the model's outputs.
        reasons: The main reasons, at most four for each target, in the order of the targets.
        event_weights: The model's own weight of each real event, oldest first; empty if it has none.
        requested_by: The name of the authenticated caller; empty without authentication.
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
    reasons: tuple[Reason, ...] = ()
    event_weights: tuple[float, ...] = ()
    requested_by: str = ""
