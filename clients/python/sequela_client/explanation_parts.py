"""The parts of an explanation beside its levels: pruning, scores, features, displayed values, warnings, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sequela_client.attributions import ContractEnum, PerTarget, PlayerKind, Quality
from sequela_client.inputs import EventInfo


class Verdict(ContractEnum):
    """How the attribution of the pruned events, plus or minus two standard errors, compares with the tolerance."""

    WITHIN = "within"
    EXCEEDS = "exceeds"
    UNCERTAIN = "uncertain"
    OFFSETTING = "offsetting"  # parts of the block offset each other
    UNKNOWN = "unknown"


def first(numbers: PerTarget) -> float | None:
    """The first target's number; None if there is none."""
    return numbers[0] if numbers else None


class SequenceState(ContractEnum):
    """Whether the sequence of a stored explanation was kept."""

    KEPT = "kept"
    NOT_KEPT = "not_kept"
    """The server is set not to keep sequences."""
    UNKNOWN = "unknown"
    """The explanation was not read from the store, or the server does not say."""


@dataclass(frozen=True, slots=True)
class PruningPoint:
    """One split of the pruning scan: the importance w1 of all events up to and including t, for each target."""

    t: int
    importances: PerTarget

    @property
    def importance(self) -> float:
        """The importance for the first target."""
        return self.importances[0]


@dataclass(frozen=True, slots=True)
class Pruning:
    """The result of pruning, and whether the pruned events matter. Tuples have one number for each target.

    Args:
        pruned_events: how many of the oldest events were pruned.
        tolerances: the tolerances that were used.
        scan_complete: False if the deadline ended the scan early.
        curve: the importance of the oldest events, for each split that was scanned.
        values: the attribution of all pruned events together, which are the block P.
        standard_errors: the standard errors of `values`.
        verdicts: whether P stays within the tolerance; none if nothing was pruned or no level was computed.
        history_values: with `refine_history`, the sum over the blocks that P was split into.
        quality: how accurate `values` are; None if they were not computed.
    """

    pruned_events: int
    tolerances: PerTarget
    scan_complete: bool
    curve: tuple[PruningPoint, ...]
    values: PerTarget
    standard_errors: PerTarget
    verdicts: tuple[Verdict, ...]
    history_values: PerTarget
    quality: Quality | None

    @property
    def tolerance(self) -> float | None:
        """The tolerance of the first target."""
        return first(self.tolerances)

    @property
    def value(self) -> float | None:
        """P's attribution for the first target."""
        return first(self.values)

    @property
    def standard_error(self) -> float | None:
        """The standard error of `value`."""
        return first(self.standard_errors)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict for the first target."""
        return self.verdicts[0] if self.verdicts else None

    def for_target(self, index: int) -> Pruning:
        """The same with the numbers of one target only."""
        one = slice(index, index + 1)
        return replace(
            self,
            tolerances=self.tolerances[one],
            curve=tuple(PruningPoint(point.t, point.importances[one]) for point in self.curve),
            values=self.values[one],
            standard_errors=self.standard_errors[one],
            verdicts=self.verdicts[one],
            history_values=self.history_values[one],
        )


@dataclass(frozen=True, slots=True)
class ExplanationWarning:
    """Something to know before relying on an answer. `reason` is a stable UPPER_SNAKE_CASE code."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A main reason for the score of a target, as a sentence. Its 95 % interval does not span 0.

    Args:
        text: the sentence.
        kind: CELL, FEATURE or EVENT.
        value: the attribution to the target.
        standard_error: its standard error; 0 if exact.
        rank: 1 for the strongest reason. Reasons that cannot be told apart within their errors have the same rank.
        tied: whether it has the rank of the reason before it.
        t: the event of a CELL or EVENT.
        feature: the feature of a CELL or FEATURE.
        target: the name of the target.
        template: the template of the sentence: `templates[3]` of the schema's reasons, or `default`.
        template_version: the version of the templates.
    """

    text: str
    kind: PlayerKind
    value: float
    standard_error: float
    rank: int
    tied: bool
    t: int | None
    feature: str | None
    target: str
    template: str
    template_version: str


@dataclass(frozen=True, slots=True)
class TargetScore:
    """The scores of a target.

    Args:
        name: the output's name.
        base_value: f(B), the score of the background, after the link. NaN if the score was below `minimum_score`,
            since it was not computed.
        score: f(X), the score of the sequence, after the link.
        raw_base_value: f(B) before the link.
        raw_score: f(X) before the link.
        label: what people call the output.
    """

    name: str
    base_value: float
    score: float
    raw_base_value: float
    raw_score: float
    label: str


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature as people read it."""

    name: str
    label: str
    unit: str
    description: str
    static: bool


@dataclass(frozen=True, slots=True)
class EventValues:
    """One event as people read it: its values by feature name (none of a pruned event), and what the caller sent."""

    t: int
    values: Mapping[str, str]
    info: EventInfo


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of the answer. It may differ if the same request is sent again.

    Args:
        model_rows: how many rows the model was run on.
        model_calls: how many calls of the model that took.
        model_events: how many events these rows had.
        stage_seconds: wall time by stage.
        cached: whether a stored explanation was returned.
        endpoint_rows: how many rows were sent to the model's endpoint, including retries.
        endpoint_calls: how many calls of the endpoint that took.
    """

    model_rows: int
    model_calls: int
    model_events: int
    stage_seconds: Mapping[str, float]
    cached: bool
    endpoint_rows: int
    endpoint_calls: int
