"""The options of an explanation. Each option is declared once, here.

A field's rule says which values are allowed. The protocols read, check and write options by these rules, so a new
option needs no code in them.
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
    """The events whose values a feature stands for: the unpruned ones, or all of them."""

    UNPRUNED = "unpruned"
    FULL_SEQUENCE = "full_sequence"


class Estimator(StrEnum):
    """How attributions are estimated from the values of coalitions."""

    REGRESSION = "regression"
    CONTROL_VARIATE = "control_variate"


@dataclass(frozen=True, slots=True)
class OptionRule:
    """The type and range of an option.

    Attributes:
        kind: The type of the value, or of each value: bool, int, float, str or an enum.
        help: What the option does, in one sentence.
        repeated: Whether the option takes several values.
        lowest: The smallest number allowed; None for no bound.
        highest: The largest number allowed, or the largest count of repeated values; None for no bound.
        setting: The flag of the server that sets the largest count of repeated values.
    """

    kind: type
    help: str
    repeated: bool = False
    lowest: Bound | None = None
    highest: Bound | None = None
    setting: str = ""


def _rule(
    kind: type,
    help: str,
    *,
    repeated: bool = False,
    lowest: Bound | None = None,
    highest: Bound | None = None,
    setting: str = "",
) -> Mapping[str, OptionRule]:
    """Returns the metadata for the field of an option."""
    return {_RULE: OptionRule(kind, help, repeated, lowest, highest, setting)}


def _zero(_: Limits) -> int:
    return 0


def _one(_: Limits) -> int:
    return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """Options that appear in an answer in the same form as in the request."""

    levels: tuple[str, ...] = field(
        default=(Level.EVENT, Level.FEATURE, Level.CELL),
        metadata=_rule(Level, "Levels to compute.", repeated=True),
    )
    feature_scope: FeatureScope = field(
        default=FeatureScope.UNPRUNED, metadata=_rule(FeatureScope, "The events that features cover.")
    )
    top_k_events: int | None = field(
        default=None,
        metadata=_rule(
            int,
            "Number of events with the largest attributions to select for cells.",
            lowest=_one,
            highest=lambda limits: limits.max_events,
        ),
    )
    top_k_features: int | None = field(
        default=None,
        metadata=_rule(
            int,
            "Number of features with the largest attributions to select for cells.",
            lowest=_one,
            highest=lambda limits: limits.max_columns,
        ),
    )
    seed: int = field(
        default=0, metadata=_rule(int, "Seed of the sampling.", lowest=_zero, highest=lambda _: MAX_SEED)
    )
    refine_history: bool = field(
        default=False,
        metadata=_rule(
            bool, "Split the pruned events if a part of them matters, or if parts offset each other."
        ),
    )
    minimum_score: float | None = field(
        default=None,
        metadata=_rule(
            float,
            "If the raw score of the first target is lower than this, return the score without an explanation.",
        ),
    )
    full_pruning_curve: bool = field(default=False, metadata=_rule(bool, "Return the whole pruning curve."))
    output_event: int = field(
        default=0,
        metadata=_rule(
            int,
            "The event t <= 0 whose output is explained, for models with an output for each event.",
            lowest=lambda limits: 1 - limits.max_events,
            highest=_zero,
        ),
    )
    estimator: Estimator | None = field(
        default=None,
        metadata=_rule(Estimator, "How attributions are estimated from the values of coalitions."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(CommonOptions):
    """The options of a request. None stands for a default that depends on the model (`option_defaults`).

    Without levels, only f(X), f(B) and the pruning scan are computed.
    """

    targets: tuple[str, ...] = field(
        default=(),
        metadata=_rule(
            str,
            "Outputs to explain, by name or column number.",
            repeated=True,
            highest=lambda limits: limits.max_targets,
            setting="--max-targets",
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
            float,
            "Events and features whose |attribution| exceeds theta are selected for cells.",
            lowest=_zero,
        ),
    )
    max_coalitions: int | None = field(
        default=None,
        metadata=_rule(
            int,
            "Largest number of coalitions to evaluate in each level.",
            lowest=_one,
            highest=lambda limits: limits.max_coalitions,
        ),
    )
    target_standard_error: float | None = field(
        default=None,
        metadata=_rule(
            float, "Sampling of a level stops when all of its standard errors are at most this.", lowest=_zero
        ),
    )
    link: Link | None = field(
        default=None, metadata=_rule(Link, "The link of the explained output; by default the model's own.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOptions(CommonOptions):
    """The options that were used, with every default filled in.

    Tolerances are in units of the explained output, one for each target. They are empty if nothing was explained.
    `cell_threshold` is also empty if events and features were selected by rank.
    """

    pruning_tolerance: tuple[float, ...]
    cell_threshold: tuple[float, ...]
    max_coalitions: int
    target_standard_error: tuple[float, ...]
    link: Link


RULES: Mapping[str, OptionRule] = {each.name: each.metadata[_RULE] for each in fields(Options)}
"""The rule of every option, by its name."""


def common_options(options: Options) -> dict[str, Any]:
    """Returns the options that appear in an answer in the same form as in the request, by name."""
    return {each.name: getattr(options, each.name) for each in fields(CommonOptions)}


def option_values(options: Options) -> dict[str, Any]:
    """Returns all options by name."""
    return {name: getattr(options, name) for name in RULES}
