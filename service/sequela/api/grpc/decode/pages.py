"""Pages, filters and names of what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.grpc.decode.sequences import moment, texts
from sequela.api.grpc.decode.violations import Violations
from sequela.explain.limits import Limits
from sequela.explain.ports import Filter

DEFAULT_PAGE = 50
LARGEST_PAGE = 1_000
MAX_TOKEN = 1_024


class Paged(Protocol):
    """A request for a page."""

    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class PageAsked:
    """How many items, and from where."""

    size: int
    token: str


def page(message: Paged, found: Violations) -> PageAsked:
    """The page asked for: 0 is the default size, too much is cut, negative is noted."""
    if message.page_size < 0:
        found.add("page_size", "OPTION_OUT_OF_RANGE", f"{message.page_size}, must be at least 0")
    size = min(message.page_size or DEFAULT_PAGE, LARGEST_PAGE)
    return PageAsked(size, found.text("page_token", message.page_token, MAX_TOKEN))


def explanation_filter(message: pb.ListExplanationsRequest, found: Violations, limits: Limits) -> Filter:
    """Which explanations are asked for."""
    start = moment(message.start_time, "start_time", found) if message.HasField("start_time") else None
    end = moment(message.end_time, "end_time", found) if message.HasField("end_time") else None
    if start and end and end <= start:
        found.add(
            "end_time", "OPTIONS_CONFLICT", f"{end.isoformat()} is not after start_time, {start.isoformat()}"
        )
    if message.model:
        found.name("model", message.model, names.is_model_reference, names.MODEL_FORMS)
    return Filter(
        caller_id=found.text("caller_id", message.caller_id, limits.max_text),
        model=message.model,
        labels=texts(message.labels, "labels", found, limits) or None,
        start=start,
        end=end,
    )


def model_filter(name: str, found: Violations) -> str:
    """Empty, or `models/m`, also where it was given in short."""
    if not name:
        return ""
    return names.model_owner(found.name("model", name, names.is_model_owner, names.MODEL_OWNER_FORMS))


def explanation_name(name: str) -> str:
    """`explanations/e`. Raises InvalidInput."""
    return _checked(name, names.is_explanation, names.EXPLANATION_FORMS)


def background_name(name: str) -> str:
    """`models/m/backgrounds/b`. Raises InvalidInput."""
    return _checked(name, names.is_background, names.BACKGROUND_FORMS)


def model_name(name: str) -> str:
    """A model's name, short or full. Raises InvalidInput."""
    return _checked(name, names.is_model_reference, names.MODEL_FORMS)


def _checked(name: str, fits: Callable[[str], bool], expected: str) -> str:
    found = Violations()
    found.name("name", name, fits, expected)
    found.raise_any()
    return name
