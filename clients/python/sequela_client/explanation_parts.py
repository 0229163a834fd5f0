"""The other parts of an explanation: pruning, scores, features, displayed values, options, cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sequela_client.attributions import ContractEnum, PerTarget, Quality
from sequela_client.inputs import EventInfo


class Verdict(ContractEnum):
    """How the pruned block's attribution compares with the tolerance, two standard errors considered."""

    WITHIN = "within"
    EXCEEDS = "exceeds"
    UNCERTAIN = "uncertain"
    OFFSETTING = "offsetting"  # parts of the block offset each other
    UNKNOWN = "unknown"


def first(numbers: PerTarget) -> float | None:
    """The first target's number; None where there are none."""
    return numbers[0] if numbers else None


@dataclass(frozen=True, slots=True)
class PruningPoint:
    """One split of the pruning scan: the importance w1 of all events up to and including t."""

    t: int
    importances: PerTarget

    @property
    def importance(self) -> float:
        """The first target's."""
        return self.importances[0]


@dataclass(frozen=True, slots=True)
class Pruning:
    """What pruning did, and whether what it lumped together matters.

    `values`: P's attribution in the coarse game. `history_values`: with refine_history, the blocks' sum.
    `verdicts`: none where nothing was pruned or no level was computed. `quality`: how sure `values` are.
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
        """The first target's tolerance."""
        return first(self.tolerances)

    @property
    def value(self) -> float | None:
        """P's attribution to the first target."""
        return first(self.values)

    @property
    def standard_error(self) -> float | None:
        """Its standard error."""
        return first(self.standard_errors)

    @property
    def verdict(self) -> Verdict | None:
        """The first target's verdict."""
        return self.verdicts[0] if self.verdicts else None

    def for_target(self, index: int) -> Pruning:
        """The same with one target's numbers only."""
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
    """Something that an answer rests on and that its reader should know. `reason` is UPPER_SNAKE_CASE."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class TargetScore:
    """What a target scored: f(B) and f(X) after the link, and as the model gave them. f(B) is NaN where the score was
    below `minimum_score`: the model was not asked for it.
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
    """One event's values as people read them, by feature name, and what the caller sent.

    A pruned event has no values.
    """

    t: int
    values: Mapping[str, str]
    info: EventInfo


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took; not part of what a seed reproduces. `stage_seconds`: wall time by stage. `endpoint_rows`,
    `endpoint_calls`: sent to the model's endpoint, also again or in vain.
    """

    model_rows: int
    model_calls: int
    model_events: int
    stage_seconds: Mapping[str, float]
    cached: bool
    endpoint_rows: int
    endpoint_calls: int
