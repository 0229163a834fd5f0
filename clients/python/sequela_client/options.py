"""The options of an explanation. Each option is declared once, here.

The keywords of `explain`, its docstring, the flags of `sequela explain` and the message that is sent follow from
`Options`. The options in an answer follow from `UsedOptions`. `option_messages` converts both to and from messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from inspect import cleandoc
from textwrap import fill
from typing import Annotated, Any, Literal, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from sequela_client.attributions import PerTarget

Level = Literal["event", "feature", "cell"]
FeatureScope = Literal["unpruned", "full_sequence"]
Link = Literal["identity", "logit"]
Estimator = Literal["regression", "control_variate"]

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class About:
    """The documentation of an option: one sentence, and the server's default."""

    help: str
    default: str


class Options(TypedDict, total=False):
    """The options of `explain` and `explain_many`. The server has a default for each that is left out or None."""

    levels: Annotated[
        Iterable[Level] | None,
        About("The levels to compute; the cell level includes the other two.", "all"),
    ]
    targets: Annotated[
        Iterable[str | int] | str | int | None,
        About(
            "The outputs to explain, by name or column number, at most 64. If the name of one is the number of "
            "another, the name counts.",
            "all, the highest score first; at most the 64 highest",
        ),
    ]
    pruning_tolerance: Annotated[
        float | None,
        About("The pruning tolerance eta, in units of the output; 0 turns pruning off.", "0.025 (*)"),
    ]
    feature_scope: Annotated[
        FeatureScope | None,
        About("Which events the features act on: the unpruned ones, or all.", "unpruned"),
    ]
    cell_threshold: Annotated[
        float | None,
        About(
            "The threshold theta: events and features with a larger absolute attribution are split into cells.",
            "0.1 (*)",
        ),
    ]
    top_k_events: Annotated[
        int | None,
        About(
            "How many of the strongest events are split into cells, instead of a threshold.",
            "unset; 5 if only top_k_features is set",
        ),
    ]
    top_k_features: Annotated[
        int | None,
        About(
            "How many of the strongest features are split into cells, instead of a threshold.",
            "unset; 5 if only top_k_events is set",
        ),
    ]
    max_coalitions: Annotated[
        int | None,
        About(
            "The largest number of coalitions to evaluate in each level.", "32768; 2048 behind an endpoint"
        ),
    ]
    target_standard_error: Annotated[
        float | None,
        About(
            "Stop sampling once every standard error is at most this; 0 uses all of max_coalitions.",
            "0.005 (*)",
        ),
    ]
    seed: Annotated[int | None, About("The seed of the sampling.", "0")]
    refine_history: Annotated[
        bool | None, About("Split the pruned events into blocks as long as one of the blocks matters.", "off")
    ]
    minimum_score: Annotated[
        float | None,
        About("If the raw score is lower, do not explain the sequence; only return its score.", "unset"),
    ]
    full_pruning_curve: Annotated[
        bool | None, About("Scan the pruning curve to the oldest event, and return all of it.", "off")
    ]
    link: Annotated[Link | None, About("The scale on which the output is explained.", "the model's own")]
    output_event: Annotated[
        int | None,
        About("Explain the output at this event, t <= 0, for a model with an output for each event.", "0"),
    ]
    estimator: Annotated[
        Estimator | None,
        About(
            "How attributions are estimated; control_variate needs fewer rows for the same error.",
            "control_variate; behind an endpoint, the one that is expected to be faster",
        ),
    ]


FOOTNOTE = "(*) For unbounded outputs and for the logit link: as a fraction of |f(X) - f(B)|."


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of `Options`, read from its declaration.

    Args:
        name: the keyword.
        kind: bool, int, float or str; the type of one item if `multiple`.
        choices: the words that are allowed; empty if any value of the kind is allowed.
        multiple: whether several values may be given.
        about: its documentation.
    """

    name: str
    kind: type
    choices: tuple[str, ...]
    multiple: bool
    about: About


def _declared(name: str, annotation: Any) -> Option:
    declared, about = get_args(annotation)
    parts = [part for part in get_args(declared) if part is not type(None)]
    # `Iterable[X] | X` takes several values; what matters is the type of one.
    items = [get_args(part)[0] for part in parts if get_origin(part) is Iterable or _is_iterable(part)]
    scalar = items[0] if items else parts[0]
    choices = get_args(scalar) if get_origin(scalar) is Literal else ()
    kind = scalar if scalar in (bool, int, float) else str
    return Option(name, kind, choices, bool(items), about)


def _is_iterable(annotation: Any) -> bool:
    return isinstance(get_origin(annotation), type) and issubclass(get_origin(annotation), Iterable)


# Every option by its keyword, in the order of their declaration.
OPTIONS: Mapping[str, Option] = {
    name: _declared(name, annotation)
    for name, annotation in get_type_hints(Options, include_extras=True).items()
}


@dataclass(frozen=True, slots=True)
class UsedOptions:
    """The options that an explanation was made with; its fields are those of the contract's ResolvedOptions.

    Tolerances and thresholds have one number for each target, in units of the explained output. They are empty if
    the score was below `minimum_score`; `cell_thresholds` is also empty if a top k was used.
    """

    levels: tuple[str, ...]
    feature_scope: str
    pruning_tolerances: PerTarget
    cell_thresholds: PerTarget
    top_k_events: int | None
    top_k_features: int | None
    max_coalitions: int
    target_standard_errors: PerTarget
    seed: int
    refine_history: bool
    minimum_score: float | None
    full_pruning_curve: bool
    link: str
    output_event: int
    estimator: str

    def for_target(self, index: int) -> UsedOptions:
        """Returns a copy that has the numbers of one target only."""
        one = slice(index, index + 1)
        return replace(self, **{name: getattr(self, name)[one] for name in PER_TARGET})


# Fields with one number for each target, and what the contract calls them.
PER_TARGET = {
    "pruning_tolerances": "pruning_tolerance",
    "cell_thresholds": "cell_threshold",
    "target_standard_errors": "target_standard_error",
}


def documented(method: Method) -> Method:
    """Adds the options to the docstring of a method that takes them."""
    lines = [
        fill(f"{each.name}: {each.about.help} Default: {each.about.default}.", 116, subsequent_indent="    ")
        for each in OPTIONS.values()
    ]
    text = "\n".join(["Options:", *(f"    {line}" for each in lines for line in each.split("\n"))])
    method.__doc__ = f"{cleandoc(method.__doc__ or '')}\n\n{text}\n\n    {FOOTNOTE}\n"
    return method
