"""How to explain. Unset is never zero: what is left out keeps the domain's default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.decode.violations import Violations
from sequela.explain.limits import Limits
from sequela.explain.request import Estimator, FeatureScope, Level, Options
from sequela.explain.schema import Link

T = TypeVar("T")

LEVELS: dict[int, Level] = {
    pb.LEVEL_EVENT: Level.EVENT,
    pb.LEVEL_FEATURE: Level.FEATURE,
    pb.LEVEL_CELL: Level.CELL,
}
SCOPES: dict[int, FeatureScope] = {
    pb.FEATURE_SCOPE_UNSPECIFIED: FeatureScope.UNPRUNED,
    pb.FEATURE_SCOPE_UNPRUNED: FeatureScope.UNPRUNED,
    pb.FEATURE_SCOPE_FULL_SEQUENCE: FeatureScope.FULL_SEQUENCE,
}
LINKS: dict[int, Link | None] = {
    pb.LINK_UNSPECIFIED: None,
    pb.LINK_IDENTITY: Link.IDENTITY,
    pb.LINK_LOGIT: Link.LOGIT,
}
ESTIMATORS: dict[int, Estimator | None] = {
    pb.ESTIMATOR_UNSPECIFIED: None,
    pb.ESTIMATOR_REGRESSION: Estimator.REGRESSION,
    pb.ESTIMATOR_CONTROL_VARIATE: Estimator.CONTROL_VARIATE,
}


def options(message: pb.ExplainOptions, path: str, found: Violations, limits: Limits) -> Options:
    """The options asked for, each within its range and none against another."""
    default = Options()

    def given(field: str, check: Callable[[str, Any], T], otherwise: T) -> T:
        if not message.HasField(field):  # type: ignore[arg-type]  # the names below are fields
            return otherwise
        return check(f"{path}.{field}", getattr(message, field))

    def whole(lowest: int, highest: int) -> Callable[[str, int], int]:
        return lambda field, value: found.within(field, value, lowest, highest)

    _one_way_to_cells(message, path, found)
    return Options(
        levels=_levels(message, f"{path}.levels", found) or default.levels,
        targets=targets(message.targets, f"{path}.targets", found, limits),
        pruning_tolerance=given("pruning_tolerance", found.at_least_zero, default.pruning_tolerance),
        feature_scope=found.choice(
            f"{path}.feature_scope", message.feature_scope, SCOPES, default.feature_scope
        ),
        cell_threshold=given("cell_threshold", found.at_least_zero, default.cell_threshold),
        top_k_events=given("top_k_events", whole(1, limits.max_events), default.top_k_events),
        top_k_features=given("top_k_features", whole(1, limits.max_columns), default.top_k_features),
        max_coalitions=given("max_coalitions", whole(1, limits.max_coalitions), default.max_coalitions),
        target_standard_error=given(
            "target_standard_error", found.at_least_zero, default.target_standard_error
        ),
        seed=message.seed,
        refine_history=message.refine_history,
        minimum_score=given("minimum_score", found.finite, default.minimum_score),
        full_pruning_curve=message.full_pruning_curve,
        link=found.choice(f"{path}.link", message.link, LINKS, default.link),
        output_event=output_event(message.output_event, f"{path}.output_event", found, limits),
        estimator=found.choice(f"{path}.estimator", message.estimator, ESTIMATORS, default.estimator),
    )


def targets(names: Any, path: str, found: Violations, limits: Limits) -> tuple[str, ...]:
    """Output names or column numbers."""
    if len(names) > limits.max_targets:
        found.add(path, "TOO_MANY_TARGETS", f"{len(names)} targets, the limit is {limits.max_targets}")
        return ()
    for index, name in enumerate(names):
        found.text(f"{path}[{index}]", name, limits.max_text)
    return tuple(names)


def output_event(event: int, path: str, found: Violations, limits: Limits) -> int:
    """An event index t ≤ 0."""
    return found.within(path, event, 1 - limits.max_events, 0)


def _levels(message: pb.ExplainOptions, path: str, found: Violations) -> tuple[Level, ...]:
    """The levels asked for, in their own order, each once."""
    asked = {
        found.choice(f"{path}[{index}]", number, LEVELS, Level.EVENT)
        for index, number in enumerate(message.levels)
    }
    return tuple(level for level in Level if level in asked)


def _one_way_to_cells(message: pb.ExplainOptions, path: str, found: Violations) -> None:
    ranked = [name for name in ("top_k_events", "top_k_features") if message.HasField(name)]
    if ranked and message.HasField("cell_threshold"):
        text = f"set together with {' and '.join(ranked)}; cells are chosen by a threshold or by rank"
        found.add(f"{path}.cell_threshold", "OPTIONS_CONFLICT", text)
