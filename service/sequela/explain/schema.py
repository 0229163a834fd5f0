"""The schema of a model: its inputs, features and targets, and how people read them.

It comes from a `schema.json` beside the model, from ONNX metadata, or is inferred from the graph. Columns are counted
from 0 within their input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What an input of the model carries."""

    EVENTS = "events"  # (n, l, width), or (n, l) for a width of 1
    STATIC = "static"  # (n, width), or (n,): one value set per sequence
    MASK = "mask"  # (n, l): 1 for a real event, 0 for padding
    LENGTH = "length"  # (n,): the number of real events
    STATE = "state"  # an initial state (h0, c0): filled in by the server, never sent


class Axis(StrEnum):
    """What an axis of an event input counts."""

    BATCH = "batch"
    TIME = "time"
    FEATURES = "features"


class Dtype(StrEnum):
    """Element types an input may have."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"


class Padding(StrEnum):
    """On which side a fixed-length model's padding lies, along time (oldest event first)."""

    LEFT = "left"
    RIGHT = "right"


class FeatureKind(StrEnum):
    """How a feature's columns are averaged and displayed."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"  # one integer column of category ids
    ONE_HOT = "one_hot"  # one column per category
    GROUP = "group"  # columns that only make sense together (an embedding block, a user's group)


class Transform(StrEnum):
    """What was done to a raw value before it was standardised."""

    NONE = "none"
    LOG1P = "log1p"


class Link(StrEnum):
    """The scale the output is explained on."""

    IDENTITY = "identity"
    LOGIT = "logit"


@dataclass(frozen=True, slots=True)
class InputSchema:
    """One input tensor of the model.

    Attributes:
        name: Its name.
        role: What it carries.
        dtype: Its element type.
        width: The number of its columns.
        pad_value: The value that stands for padding.
        rank: The number of its axes, with the batch. The model itself tells it. Only an endpoint that does not
            describe its model needs it, for inputs of one column, which may have no axis of columns.
        axes: The order of an event input's axes, if it is not batch, time, features. Callers always send
            (time, features).
        allow_nan: NaN means "missing" to the model, and may be sent. Infinity may not.
        shape: The axes of a static input after the batch, if there are several; `width` is their product.
        initial: The value that a state begins with.
    """

    name: str
    role: Role
    dtype: Dtype = Dtype.FLOAT32
    width: int = 1
    pad_value: float = 0.0
    rank: int | None = None
    axes: tuple[Axis, ...] = ()
    allow_nan: bool = False
    shape: tuple[int, ...] = ()
    initial: float = 0.0


@dataclass(frozen=True, slots=True)
class Display:
    """How a standardised value x is shown: as the inverse of `transform` of `mean + scale * x`.

    Attributes:
        mean: The mean before standardising.
        scale: The standard deviation before standardising.
        transform: What was done to the raw value before it was standardised.
        decimals: The decimals that are shown.
    """

    mean: float = 0.0
    scale: float = 1.0
    transform: Transform = Transform.NONE
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """One logical feature: columns that are switched together.

    Attributes:
        name: Its name.
        columns: Its columns, by the name of the input. A feature lies in event inputs or in one static input, never
            in both.
        kind: How its columns are averaged and shown.
        label: Its name for people.
        unit: The unit of the values that are shown.
        description: A text for people.
        categories: The names of the ids of a categorical feature, or of the columns of a one-hot one, in order.
        display: How numbers are shown.
    """

    name: str
    columns: Mapping[str, tuple[int, ...]]
    kind: FeatureKind = FeatureKind.NUMERIC
    label: str = ""
    unit: str = ""
    description: str = ""
    categories: tuple[str, ...] = ()
    display: Display = field(default_factory=Display)


@dataclass(frozen=True, slots=True)
class TargetSchema:
    """One output of the model. Targets are in the order of the model's output columns."""

    name: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """A model's inputs, logical features and targets.

    If a `schema.json` leaves out inputs, features or targets, each of these lists is inferred as a whole.

    Attributes:
        inputs: The input tensors.
        features: The logical features.
        targets: The outputs.
        output: The graph output that is explained; empty for the one that is the score.
        per_event: The output has a step for each event, (n, l) or (n, l, targets); None if the model tells it.
        link: The scale on which outputs are explained by default.
        padding: The side of padding. Only fixed-length models need it whose callers send fewer events.
        bounded: Outputs lie in [0, 1], so default tolerances are absolute; None if it is inferred from the last
            operator.
        background: The default background: for each event input its average event (width), or a matrix (k, width)
            whose last row is t = 0; for each static input its values (width).
        trial_length: The number of events of the trial when the model is loaded, if it needs more than a few.
        classes: Several outputs are alternatives, and the one with the highest score comes first by default; None
            means that they are, unless they are steps of a forecast.
    """

    inputs: tuple[InputSchema, ...] = ()
    features: tuple[FeatureSchema, ...] = ()
    targets: tuple[TargetSchema, ...] = ()
    output: str = ""
    per_event: bool | None = None
    link: Link = Link.IDENTITY
    padding: Padding | None = None
    bounded: bool | None = None
    background: Mapping[str, tuple[float, ...] | tuple[tuple[float, ...], ...]] | None = None
    trial_length: int | None = None
    classes: bool | None = None
