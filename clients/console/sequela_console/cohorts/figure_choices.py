"""The choices for a figure: the parameters of its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from sequela_console.http.errors import bad_request

MOST_EVENTS = 1000
MOST_TOLERANCES = 20
MOST_COALITIONS = 2**40
_INVALID = "FIGURE_INVALID"


@dataclass(frozen=True, slots=True)
class FigureChoices:
    """The parameters of figures; each uses those that it needs.

    Args:
        variant: the variant; None for the only one.
        limit: how many events back.
        feature: whose effect is compared between groups.
        by: the label or feature that makes groups, or the label that makes periods.
        threshold: the raw score from which a prediction is positive.
        outcome: what really happened, `LABEL=VALUE` with the positive value.
        before: the first period.
        after: the second one.
        tolerances: pruning tolerances; empty: the paper's.
        coalitions: how many coalitions may be evaluated.
    """

    variant: str | None = None
    limit: int = 50
    feature: str | None = None
    by: str | None = None
    threshold: float = 0.5
    outcome: str | None = None
    before: str | None = None
    after: str | None = None
    tolerances: tuple[float, ...] = ()
    coalitions: int = 32_768

    def needed(self, name: str) -> str:
        """Returns a parameter that the figure cannot do without. Raises ApiError (400) if it is missing."""
        held = getattr(self, name)
        if held is None:
            raise bad_request(_INVALID, f"{name} is missing", name)
        return str(held)


def choices_of(query: Mapping[str, str]) -> FigureChoices:
    """Returns the choices in an address. Raises ApiError (400) for one that is wrong."""
    named = ("variant", "feature", "by", "outcome", "before", "after")
    tolerances = [each for each in query.get("tolerances", "").split(",") if each]
    if len(tolerances) > MOST_TOLERANCES:
        raise bad_request(_INVALID, f"tolerances are at most {MOST_TOLERANCES}", "tolerances")
    return FigureChoices(
        **{name: query[name] for name in named if name in query},
        limit=_whole(query, "limit", 50, MOST_EVENTS),
        threshold=_number(query.get("threshold", "0.5"), "threshold"),
        tolerances=tuple(_number(each, "tolerances") for each in tolerances),
        coalitions=_whole(query, "coalitions", 32_768, MOST_COALITIONS),
    )


def _whole(query: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    text = query.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most):
        raise bad_request(_INVALID, f"{name} is {text[:80]!r}; it is a whole number from 1 to {most:,}", name)
    return int(text)


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise bad_request(_INVALID, f"{name} is {text[:80]!r}; it is a number", name)
    return number
