"""How to explain, as keywords; whatever is left out (or None) takes the server's default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import member
from sequela_client.errors import CallerError

Level = Literal["event", "feature", "cell"]
FeatureScope = Literal["unpruned", "full_sequence"]
Link = Literal["identity", "logit"]


class Options(TypedDict, total=False):
    """The keywords of `explain`. Tolerances are in units of the explained output; events t <= 0.

    See ExplainOptions in the contract for each one's default and meaning.
    """

    levels: Iterable[Level] | None
    targets: Iterable[str | int] | str | None
    pruning_tolerance: float | None
    feature_scope: FeatureScope | None
    cell_threshold: float | None
    top_k_events: int | None
    top_k_features: int | None
    max_coalitions: int | None
    target_standard_error: float | None
    seed: int | None
    refine_history: bool | None
    minimum_score: float | None
    full_pruning_curve: bool | None
    link: Link | None
    output_event: int | None


def options_message(options: Mapping[str, Any]) -> pb.ExplainOptions:
    """The options as a message. Raises TypeError for an unknown keyword, CallerError for a bad value."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"explain has no option {', '.join(sorted(unknown))}")
    message = pb.ExplainOptions()
    for name, value in options.items():
        if value is not None:
            _set(message, name, value)
    return message


def target_names(targets: Iterable[str | int] | str | None) -> list[str]:
    """Output names or column numbers, as the contract wants them."""
    if targets is None:
        return []
    return [targets] if isinstance(targets, str) else [str(target) for target in targets]


def _set(message: pb.ExplainOptions, name: str, value: Any) -> None:
    match name:
        case "levels":
            levels = [value] if isinstance(value, str) else value
            message.levels.extend(member(pb.Level, "options.levels", level) for level in levels)
        case "targets":
            message.targets.extend(target_names(value))
        case "feature_scope":
            message.feature_scope = member(pb.FeatureScope, "options.feature_scope", value)
        case "link":
            message.link = member(pb.Link, "options.link", value)
        case _:
            try:
                setattr(message, name, value)
            except (TypeError, ValueError) as error:
                raise CallerError(f"options.{name}: {error}", reason="OPTION_INVALID") from error
