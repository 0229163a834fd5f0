"""The specification of a table of events: variants, weight, class, bins and steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any, TypeVar

from sequela_console.http.errors import bad_request

DEFAULT_STEPS = 64
MOST_STEPS = 4096
MOST_VARIANTS = 20
MOST_BINS = 64
_INVALID = "SPEC_INVALID"

Kind = TypeVar("Kind", bound=Enum)


class WeightKind(Enum):
    """Where the weight of an event comes from: its attribution, or the model's own output."""

    ATTRIBUTION = "attribution"
    MODEL = "model"


class BinKind(Enum):
    """How numbers are put into bins: as many events in each, or equally wide ones."""

    QUANTILE = "quantile"
    WIDTH = "width"


@dataclass(frozen=True, slots=True)
class LabelClass:
    """Classes by a label: positive if it has this value, negative if it has another one."""

    key: str
    positive: str


@dataclass(frozen=True, slots=True)
class DecisionClass:
    """Classes by the raw score: positive from this threshold on."""

    threshold: float


@dataclass(frozen=True, slots=True)
class EventSpec:
    """What a table of events is made with.

    Args:
        variants: the variants whose sequences are in it; empty: the cohort has only one.
        weight: where the weights come from.
        classes: what makes a sequence positive.
        bins: how numbers are put into bins.
        bin_count: how many bins a numeric attribute has at most.
        steps: how many of the latest events of a sequence are in it at most.
    """

    variants: tuple[str, ...]
    weight: WeightKind
    classes: LabelClass | DecisionClass
    bins: BinKind
    bin_count: int
    steps: int


def spec_of_text(text: str) -> EventSpec:
    """Returns the spec in a parameter of the address. Raises ApiError (400) if it is none."""
    try:
        held = json.loads(text or "{}")
    except ValueError as error:
        raise bad_request(_INVALID, f"spec is not valid JSON: {error}", "spec") from None
    return spec_of(held)


def spec_of(held: Any) -> EventSpec:
    """Returns the spec in a JSON object. Raises ApiError (400) if it is none."""
    if not isinstance(held, Mapping):
        raise bad_request(_INVALID, "spec must be a JSON object", "spec")
    bins = held.get("bins") or {}
    return EventSpec(
        variants=_variants(held.get("variants") or ()),
        weight=_one_of(WeightKind, held.get("weight", "attribution"), "spec.weight"),
        classes=_classes(held.get("class")),
        bins=_one_of(BinKind, bins.get("kind", "quantile"), "spec.bins.kind"),
        bin_count=_whole(bins.get("count", 9), 2, MOST_BINS, "spec.bins.count"),
        steps=_whole(held.get("steps", DEFAULT_STEPS), 1, MOST_STEPS, "spec.steps"),
    )


def _variants(held: Any) -> tuple[str, ...]:
    if not isinstance(held, list | tuple) or not all(isinstance(each, str) for each in held):
        raise bad_request(_INVALID, "spec.variants must be a list of names", "spec.variants")
    if len(held) > MOST_VARIANTS or len(set(held)) != len(held):
        raise bad_request(
            _INVALID, f"spec.variants must be at most {MOST_VARIANTS} different names", "spec.variants"
        )
    return tuple(held)


def _classes(held: Any) -> LabelClass | DecisionClass:
    match held:
        case {"kind": "label", "key": str(key), "positive": str(positive)}:
            return LabelClass(key, positive)
        case {"kind": "decision", "threshold": int() | float() as threshold} if isfinite(threshold):
            return DecisionClass(float(threshold))
    raise bad_request(
        _INVALID,
        "spec.class says what is positive: a label with the value that means positive, or a decision with a threshold",
        "spec.class",
    )


def _one_of(kind: type[Kind], held: Any, field: str) -> Kind:
    try:
        return kind(held)
    except ValueError:
        allowed = " or ".join(repr(each.value) for each in kind)
        raise bad_request(_INVALID, f"{field} is {str(held)[:80]!r}; allowed is {allowed}", field) from None


def _whole(held: Any, low: int, high: int, field: str) -> int:
    if isinstance(held, bool) or not isinstance(held, int) or not low <= held <= high:
        raise bad_request(
            _INVALID, f"{field} is {str(held)[:80]!r}; it is a whole number from {low} to {high}", field
        )
    return held
