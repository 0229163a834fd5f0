"""A model's schema: what the model takes and gives, and how people read it.

A schema comes from a `schema.json` beside the model, from the ONNX metadata, or is inferred from the graph. However it
came, this is its one form, and docs/schema.md describes its keys. Columns are counted from 0 within their input. In
shapes, n is the number of sequences, l the number of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What an input of the model carries."""

    EVENTS = "events"  # (n, l, width), or (n, l) for a width of 1
    STATIC = "static"  # (n, width), or (n,): one set of values for each sequence
    MASK = "mask"  # (n, l): 1 for a real event, 0 for padding
    LENGTH = "length"  # (n,): the number of real events
    STATE = "state"  # an initial state (h0, c0), filled in by the server and never sent


class Axis(StrEnum):
    """What an axis of an input counts."""

    BATCH = "batch"
    TIME = "time"
    FEATURES = "features"


class Dtype(StrEnum):
    """The element types that a schema knows. Models with smaller types take the next larger one of these."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"

    @property
    def is_float(self) -> bool:
        """Whether it holds fractions; an input of another type holds ids or flags."""
        return self in (Dtype.FLOAT32, Dtype.FLOAT64)


class Padding(StrEnum):
    """The side of a sequence on which a model of fixed length is padded. Sequences begin with the oldest event."""

    LEFT = "left"
    RIGHT = "right"


class FeatureKind(StrEnum):
    """How a feature's columns are averaged and displayed."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"  # one column of integer ids
    ONE_HOT = "one_hot"  # one column for each category
    GROUP = "group"  # columns that only make sense together, such as an embedding


class Transform(StrEnum):
    """What was done to a raw value before it was standardised."""

    NONE = "none"
    LOG1P = "log1p"


class Link(StrEnum):
    """The scale on which an output is explained."""

    IDENTITY = "identity"
    LOGIT = "logit"


@dataclass(frozen=True, slots=True)
class InputSchema:
    """One input tensor of the model.

    Attributes:
        name: The input's name in the graph.
        role: What it carries.
        dtype: Its element type.
        width: The number of columns.
        pad_value: What padding holds. For a mask: the value that marks padding.
        rank: The number of axes, the batch included. Models tell it themselves; only an endpoint that does not describe
            its model needs it, for an input of one column, which may have no axis for columns.
        axes: The order of the model's own axes, if it is not (batch, time, features). Callers always send
            (time, features).
        allow_nan: NaN means "missing" to the model and may be sent. Infinity may not.
        shape: The model's axes of columns, if there are several; `width` is their product.
        initial: The value that a state starts with.
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
    """Converts a standardised value x back to its own unit: the inverse of `transform` of mean + scale · x."""

    mean: float = 0.0
    scale: float = 1.0
    transform: Transform = Transform.NONE
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """One logical feature: columns that are present or absent together.

    Attributes:
        name: Its name in answers.
        columns: For each input, the columns that belong to the feature. They lie either in event inputs or in one
            static input, never in both.
        kind: How its columns are averaged and displayed.
        label, unit, description: Texts for people.
        categories: The names of a categorical feature's ids, or of a one-hot feature's columns, in order.
        display: How a value is shown.
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
    """One column of the model's output. Targets are in the order of these columns."""

    name: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """A model's inputs, logical features and targets.

    A `schema.json` may leave out inputs, features and targets; each is then inferred as a whole.

    Attributes:
        inputs: The graph's inputs.
        features: What is switched and named together.
        targets: The columns of the output.
        output: The graph output that is explained. Empty: the one that is the score.
        per_event: Whether the output has one step for each event, (n, l) or (n, l, targets). None: the model tells.
        link: The scale on which the output is explained by default.
        padding: The side on which a model of fixed length is padded, needed if callers send fewer events.
        bounded: Whether outputs lie in [0, 1], so that default tolerances are absolute. None: inferred from the graph's
            last operator.
        background: The model's default background. For each event input an average event (width,), or a matrix
            (k, width) whose last row is t = 0; for each static input its values (width,).
        trial_length: The number of events that the model is tried with when it is loaded, if it needs another number
            than those tried by default.
        classes: Whether several outputs are alternatives, so that the one with the highest score is explained first.
            None: they are, unless they are the steps of a forecast.
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
