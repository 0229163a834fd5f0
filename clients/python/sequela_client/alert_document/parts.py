"""The parts of a document. The names are those of `api/types.ts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sequela_client.alert_document.threshold import AlertThreshold
from sequela_client.feature_values.standings import Standing


@dataclass(frozen=True, slots=True)
class HistoryValue:
    """The value of a feature at an event; see `HistoryValue` in types.ts."""

    text: str
    number: float | None = None
    model_text: str = ""
    own: Standing | None = None
    cohort: Standing | None = None
    effect: float | None = None
    effect_error: float | None = None


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An event of the history; see `HistoryEvent` in types.ts."""

    t: int
    id: str
    time: datetime | None
    pruned: bool
    values: Mapping[str, HistoryValue]
    value: float | None
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The smallest and the largest known value of a feature, in its own unit."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FeatureDetail:
    """What is known of a feature; see `FeatureDetail` in types.ts."""

    name: str
    label: str
    unit: str
    description: str
    static: bool
    kind: str
    categories: tuple[str, ...]
    range: ValueRange | None
    editable: bool
    fixed: bool
    constant: bool


@dataclass(frozen=True, slots=True)
class LevelQuality:
    """How accurate the numbers of a level are, in words; see `AlertDocument.quality` in types.ts."""

    level: str
    text: str
    standard_error: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether something can be done or shown, and if not why, in a sentence."""

    ok: bool
    why: str = ""


POSSIBLE = Capability(True)


@dataclass(frozen=True, slots=True)
class Edit:
    """A changed value.

    Args:
        t: the event; 0 for a static feature.
        feature: the name of the feature.
        to: the new value: a number in people's units, or the name of a category.
    """

    t: int
    feature: str
    to: float | str


@dataclass(frozen=True, slots=True)
class AlertDocument:
    """Everything that the page of one explanation shows; see `AlertDocument` in types.ts."""

    id: str
    source: Mapping[str, Any]
    target: int
    explanation: Mapping[str, Any]
    threshold: AlertThreshold
    alert: bool | None
    history: tuple[HistoryEvent, ...]
    cohort_events: int
    features: tuple[FeatureDetail, ...]
    labels: tuple[Any, ...]
    quality: tuple[LevelQuality, ...]
    cautions: tuple[str, ...]
    capabilities: Mapping[str, Capability]
    edits: tuple[Edit, ...] = field(default=())
    reference: str = ""
