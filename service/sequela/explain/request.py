"""What a caller asks, as the door hands it on: shapes and names not yet checked against any model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from sequela.explain.schema import Link


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
class NamedModel:
    """`models/m`, `models/m/versions/v`, `m` or `m/v`."""

    name: str


@dataclass(frozen=True, slots=True)
class DigestedModel:
    """A model that the server already has."""

    digest: str


@dataclass(frozen=True, slots=True)
class InlineModel:
    """The model itself; an empty schema means metadata or inference."""

    onnx: bytes = field(repr=False)
    schema_json: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class EndpointModel:
    """A model served elsewhere."""

    uri: str
    version: str = ""
    schema_json: bytes = field(default=b"", repr=False)


ModelChoice = NamedModel | DigestedModel | InlineModel | EndpointModel


@dataclass(frozen=True, slots=True, eq=False)
class NamedArray:
    """One input's values, without a batch axis; finite. `name` may be empty for a model with one data
    input. `columns` names the columns of the array in their order, where the caller knows them.
    """

    name: str
    array: NDArray[Any]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedBackground:
    """`models/m/backgrounds/b`, or `b` for the question's model."""

    name: str


@dataclass(frozen=True, slots=True)
class DigestedBackground:
    """A background that the server already has."""

    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class GivenBackground:
    """Per event input an average event (d) or a matrix (k, d); per static input its values."""

    inputs: tuple[NamedArray, ...]
    mean_event: tuple[NamedArray, ...] = ()


BackgroundChoice = NamedBackground | DigestedBackground | GivenBackground


@dataclass(frozen=True, slots=True)
class EventInfo:
    """What people read about one event: never fed to the model, echoed and stored."""

    id: str = ""
    time: datetime | None = None
    display: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class GivenSequence:
    """The values of every input, and what people read about the real events (none, or one each, oldest
    first).
    """

    inputs: tuple[NamedArray, ...]
    events: tuple[EventInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How to explain; None is the default that depends on the model (see `tolerances`).

    No levels: f(X), f(B) and the pruning scan alone.
    """

    levels: tuple[str, ...] = (Level.EVENT, Level.FEATURE, Level.CELL)
    targets: tuple[str, ...] = ()
    pruning_tolerance: float | None = None
    feature_scope: FeatureScope = FeatureScope.UNPRUNED
    cell_threshold: float | None = None
    top_k_events: int | None = None
    top_k_features: int | None = None
    max_coalitions: int | None = None
    target_standard_error: float | None = None
    seed: int = 0
    refine_history: bool = False
    minimum_score: float | None = None
    full_pruning_curve: bool = False
    link: Link | None = None
    output_event: int = 0
    estimator: Estimator | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainRequest:
    """One alert to explain."""

    model: ModelChoice
    sequence: GivenSequence
    background: BackgroundChoice | None = None
    options: Options = field(default_factory=Options)
    caller_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
