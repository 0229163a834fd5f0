"""How to explain, as keywords; whatever is left out (or None) takes the server's default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from inspect import cleandoc
from operator import index
from typing import Any, Literal, TypedDict, TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import member
from sequela_client.errors import CallerError

Level = Literal["event", "feature", "cell"]
FeatureScope = Literal["unpruned", "full_sequence"]
Link = Literal["identity", "logit"]
Estimator = Literal["regression", "control_variate"]


Method = TypeVar("Method", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """Options, each with its default; tolerances are in units of the explained output, events t <= 0:

    levels: any of "event", "feature", "cell" (all)
    targets: output names or column numbers to explain, at most 64 (all, the highest score first, or the 64 highest)
    pruning_tolerance: eta; 0: no pruning (0.025 *)
    feature_scope: "unpruned" or "full_sequence", the events that features act on ("unpruned")
    cell_threshold: theta; events and features above it make the cells (0.1 *)
    top_k_events, top_k_features: so many instead of theta (5 when only the other is set)
    max_coalitions: evaluated at most in each level (32768; behind an endpoint 2048)
    target_standard_error: sampling stops within it; 0: use the whole budget (0.005 *)
    seed: of the sampling (0)
    refine_history: split the pruned events while a part matters (False)
    minimum_score: below this raw score, only score (always explain)
    full_pruning_curve: scan every split (False)
    link: "identity" or "logit" (the model's own)
    output_event: explain the output at this event, of a model with one for each (0)
    estimator: "regression" or "control_variate" (fewer rows, more solving) (chosen by what a row takes)

    * Of |f(X) - f(B)| for unbounded outputs and the logit link.
    """

    levels: Iterable[Level] | None
    targets: Iterable[str | int] | str | int | None
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
    estimator: Estimator | None


def options_message(options: Mapping[str, Any]) -> pb.ExplainOptions:
    """The options as a message. Raises TypeError for an unknown keyword, CallerError for a bad value."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"explain has no option {', '.join(map(_with_nearest, sorted(unknown)))}")
    message = pb.ExplainOptions()
    for name, value in options.items():
        if value is not None:
            _set(message, name, value)
    return message


def documented(method: Method) -> Method:
    """Adds the options to the docstring of a method that takes them."""
    method.__doc__ = f"{cleandoc(method.__doc__ or '')}\n\n{cleandoc(Options.__doc__ or '')}"
    return method


def _with_nearest(unknown: str) -> str:
    near = get_close_matches(unknown, Options.__annotations__, n=1)
    return f"{unknown} (did you mean {near[0]}?)" if near else unknown


def target_names(targets: Iterable[str | int] | str | int | None) -> list[str]:
    """Output names or column numbers, as the contract wants them."""
    if targets is None:
        return []
    one = isinstance(targets, str) or not isinstance(targets, Iterable) or getattr(targets, "ndim", 1) == 0
    items: Any = [targets] if one else targets
    return list(map(_target, items))


def _target(target: Any) -> str:
    if isinstance(target, str):
        return str(target)
    try:
        if not isinstance(target, bool):
            return str(index(target))
    except TypeError:
        pass
    raise CallerError(f"targets: must be names or column numbers, not {target!r}", reason="OPTION_INVALID")


def _set(message: pb.ExplainOptions, name: str, value: Any) -> None:
    match name:
        case "levels":
            levels = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
            message.levels.extend(member(pb.Level, "options.levels", level) for level in levels)
        case "targets":
            message.targets.extend(target_names(value))
        case "feature_scope":
            message.feature_scope = member(pb.FeatureScope, "options.feature_scope", value)
        case "link":
            message.link = member(pb.Link, "options.link", value)
        case "estimator":
            message.estimator = member(pb.Estimator, "options.estimator", value)
        case _:
            try:
                setattr(message, name, value)
            except (TypeError, ValueError) as error:
                raise CallerError(f"options.{name}: {error}", reason="OPTION_INVALID") from error
