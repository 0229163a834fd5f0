"""How to explain: every option is declared here, once.

A field's rule says what values it takes. Protocols read, check and answer options by these rules, so that a new option
needs no code of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeAlias

from sequela.explain.limits import Limits
from sequela.explain.schema import Link

Bound: TypeAlias = Callable[[Limits], int]
MAX_SEED = 2**64 - 1
_RULE = "rule"


class Level(StrEnum):
    """A level of explanation."""

    EVENT = "event"
    FEATURE = "feature"
    CELL = "cell"


class FeatureScope(StrEnum):
    """Which events the features act on."""

    UNPRUNED = "unpruned"
    FULL_SEQUENCE = "full_sequence"


class Estimator(StrEnum):
    """How attributions follow from the values of coalitions."""

    REGRESSION = "regression"
    CONTROL_VARIATE = "control_variate"


@dataclass(frozen=True, slots=True)
class OptionRule:
    """What an option may be.

    Attributes:
        kind: The type of its value, or of each of its values: bool, int, float, str or an enum.
        help: What it does, in a sentence.
        repeated: Whether it takes several values.
        lowest: The smallest number allowed; None for no bound.
        highest: The largest number allowed, or for repeated values the largest count of them; None for no bound.
    """

    kind: type
    help: str
    repeated: bool = False
    lowest: Bound | None = None
    highest: Bound | None = None


def _rule(
    kind: type,
    help: str,
    *,
    repeated: bool = False,
    lowest: Bound | None = None,
    highest: Bound | None = None,
) -> Mapping[str, OptionRule]:
    """The metadata of an option's field."""
    return {_RULE: OptionRule(kind, help, repeated, lowest, highest)}


def _zero(_: Limits) -> int:
    return 0


def _one(_: Limits) -> int:
    return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """Options that an answer repeats in the form in which they were asked for."""

    levels: tuple[str, ...] = field(
        default=(Level.EVENT, Level.FEATURE, Level.CELL),
        metadata=_rule(Level, "Levels to compute.", repeated=True),
    )
    feature_scope: FeatureScope = field(
        default=FeatureScope.UNPRUNED, metadata=_rule(FeatureScope, "Which events the features act on.")
    )
    top_k_events: int | None = field(
        default=None,
        metadata=_rule(
            int,
            "How many events make the cells, those with the largest attributions.",
            lowest=_one,
            highest=lambda limits: limits.max_events,
        ),
    )
    top_k_features: int | None = field(
        default=None,
        metadata=_rule(
            int,
            "How many features make the cells, those with the largest attributions.",
            lowest=_one,
            highest=lambda limits: limits.max_columns,
        ),
    )
    seed: int = field(
        default=0, metadata=_rule(int, "Seed of the sampling.", lowest=_zero, highest=lambda _: MAX_SEED)
    )
    refine_history: bool = field(
        default=False,
        metadata=_rule(bool, "Split the pruned block where one of its parts matters, or parts offset."),
    )
    minimum_score: float | None = field(
        default=None,
        metadata=_rule(float, "Below this raw score of the first target, the score is all that is answered."),
    )
    full_pruning_curve: bool = field(default=False, metadata=_rule(bool, "Answer the whole pruning curve."))
    output_event: int = field(
        default=0,
        metadata=_rule(
            int,
            "The event t <= 0 whose output is explained, of models with an output for each event.",
            lowest=lambda limits: 1 - limits.max_events,
            highest=_zero,
        ),
    )
    estimator: Estimator | None = field(
        default=None, metadata=_rule(Estimator, "How attributions follow from the values of coalitions.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(CommonOptions):
    """How to explain, as a caller asks for it. None is a default that depends on the model (`option_defaults`).

    Without levels, f(X), f(B) and the pruning scan are all that is computed.
    """

    targets: tuple[str, ...] = field(
        default=(),
        metadata=_rule(
            str,
            "Outputs to explain, by name or column number.",
            repeated=True,
            highest=lambda limits: limits.max_targets,
        ),
    )
    pruning_tolerance: float | None = field(
        default=None,
        metadata=_rule(
            float, "Pruning tolerance eta, in units of the explained output; 0 prunes nothing.", lowest=_zero
        ),
    )
    cell_threshold: float | None = field(
        default=None,
        metadata=_rule(
            float, "Events and features whose |attribution| exceeds theta make the cells.", lowest=_zero
        ),
    )
    max_coalitions: int | None = field(
        default=None,
        metadata=_rule(
            int,
            "Coalitions evaluated at most in each level.",
            lowest=_one,
            highest=lambda limits: limits.max_coalitions,
        ),
    )
    target_standard_error: float | None = field(
        default=None,
        metadata=_rule(
            float, "Sampling stops once every standard error of the level is within this.", lowest=_zero
        ),
    )
    link: Link | None = field(
        default=None, metadata=_rule(Link, "The link of the explained output; by default the model's own.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOptions(CommonOptions):
    """The options used, with every default filled in. Tolerances are in units of the explained output, one for each
    target; they are empty where nothing was explained, and `cell_threshold` also where a top k chose the cells.
    """

    pruning_tolerance: tuple[float, ...]
    cell_threshold: tuple[float, ...]
    max_coalitions: int
    target_standard_error: tuple[float, ...]
    link: Link


RULES: Mapping[str, OptionRule] = {each.name: each.metadata[_RULE] for each in fields(Options)}
"""The rule of every option, by its name."""


def common_options(options: Options) -> dict[str, Any]:
    """The options that an answer repeats in the same form, by name."""
    return {each.name: getattr(options, each.name) for each in fields(CommonOptions)}
