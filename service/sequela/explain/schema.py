"""What a model takes and gives, and how people read it.

A schema comes from a `schema.json` beside the model, from ONNX metadata, or is inferred from the graph;
however it came, this is its one form. Columns are counted from 0 within their input.
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

    `rank`: its axes, the batch included. Told by the model itself; only an endpoint that does not describe its model
    needs it, for inputs of one column, which may leave out the column axis.
    `axes`: the order of an event input's axes, where it is not batch, time, features. Callers always send
    (time, features).
    `allow_nan`: NaN means "missing" to the model and may be sent; infinity may not.
    `shape`: the axes of a static input behind the batch, where there is more than one; `width` is their product.
    `initial`: what a state begins with.
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
    """Takes a column back to the unit people know: `inverse(transform)(mean + scale * x)`."""

    mean: float = 0.0
    scale: float = 1.0
    transform: Transform = Transform.NONE
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """One logical feature: the columns that are switched together.

    `columns` maps an input's name to the columns of it that belong to the feature. A feature lies either in
    event inputs or in one static input, never in both. `categories` names the ids of a categorical feature,
    or the columns of a one-hot one, in order.
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
    """One output of the model; targets are in the order of the model's output columns."""

    name: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """A model's inputs, logical features and targets.

    Inputs, features and targets that a `schema.json` leaves out are inferred, each as a whole. `output` names
    the graph output that is explained (empty: the one that is the score). `per_event` says that it has a step
    per event: (n, l) or (n, l, targets) (None: told by the model). `padding` is needed only by fixed-length
    models whose callers send fewer events than the length. `bounded` says that outputs lie in [0, 1], so that
    default tolerances are absolute (None: inferred from the graph's last operator). `background` holds the
    model's default: per input its average event (width), or a matrix (k, width) whose last row is t = 0;
    static inputs (width). `trial_length` is the number of events that the model is tried with when it is
    loaded, where it needs more than a few. `classes` says that several outputs are alternatives, of which the
    one with the highest score comes first by default (None: they are, unless they are steps of a forecast).
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
