"""A model's schema: its inputs and outputs, and how to present them to people.

A schema comes from a `schema.json` next to the model or from the ONNX metadata, or is inferred from the graph. All
three end up in this form. docs/schema.md describes the keys. Columns are counted from 0 within their input. In shapes,
n is the number of sequences and l the number of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What an input of the model contains."""

    EVENTS = "events"  # (n, l, width), or (n, l) for a width of 1
    STATIC = "static"  # (n, width), or (n,): one set of values for each sequence
    MASK = "mask"  # (n, l): 1 for a real event, 0 for padding
    LENGTH = "length"  # (n,): the number of real events
    STATE = "state"  # an initial state (h0, c0), filled in by the server and never sent


class Axis(StrEnum):
    """The meaning of an axis of an input."""

    BATCH = "batch"
    TIME = "time"
    FEATURES = "features"


class Dtype(StrEnum):
    """The element types of a schema. An input of a smaller type is declared with the next larger one of these."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"

    @property
    def is_float(self) -> bool:
        """Whether this is a floating-point type. Inputs of other types contain ids or flags."""
        return self in (Dtype.FLOAT32, Dtype.FLOAT64)


class PaddingSide(StrEnum):
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
    """The transformation that was applied to a raw value before it was standardised."""

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
        role: What the input contains.
        dtype: Its element type.
        width: The number of columns.
        pad_value: The value of padding. For a mask, the value that marks padding.
        rank: The number of axes, including the batch. It is only needed for an input with one column behind an endpoint
            that does not describe its model, because such an input may have no axis for columns.
        axes: The order of the model's own axes, if it is not (batch, time, features). Callers always send
            (time, features).
        allow_nan: Whether NaN may be sent, because the model takes it for a missing value. Infinity never may.
        shape: The sizes of the axes for columns, if the model has several; `width` is their product.
        initial: The initial value of a state.
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
    """Converts a standardised value x to its own unit: the inverse of `transform`, applied to mean + scale · x."""

    mean: float = 0.0
    scale: float = 1.0
    transform: Transform = Transform.NONE
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """One logical feature: columns that are present or absent together.

    Attributes:
        name: Its name in answers.
        columns: For each input, the columns that belong to the feature. They are either in event inputs or in one
            static input, never in both.
        kind: How its columns are averaged and displayed.
        label, unit, description: Texts for people.
        categories: The names of a categorical feature's ids, or of a one-hot feature's columns, in order.
        display: How to display a value.
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


class Direction(StrEnum):
    """What a reason did to the score."""

    RAISES = "raises"
    LOWERS = "lowers"


ANY_FEATURE = "*"
"""A reason template for every feature without a template of its own."""


@dataclass(frozen=True, slots=True)
class ReasonTemplate:
    """The text of a reason, with placeholders in braces.

    Attributes:
        text: One line. The placeholders are `explain.result.reason_templates.PLACEHOLDERS`.
        feature: The feature that it is for, or `ANY_FEATURE`. Empty: it is for whole events.
        direction: Whether it is for reasons that raise or that lower the score; None for both.
    """

    text: str
    feature: str = ""
    direction: Direction | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ReasonTemplates:
    """How reasons read, with the author's version, which every reason states."""

    version: str | int | float
    templates: tuple[ReasonTemplate, ...] = ()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ModelSchema:
    """A model's inputs, logical features and targets.

    A `schema.json` may omit inputs, features or targets. The list that is omitted is then inferred as a whole.

    Attributes:
        inputs: The graph's inputs.
        features: The columns that are attributed and named together.
        targets: The columns of the output.
        output: The graph output to explain; empty to infer it.
        per_event: Whether there is one output for each event, (n, l) or (n, l, targets); None to infer it.
        link: The default scale on which the output is explained.
        padding: The side on which a model of fixed length is padded. Required if callers send fewer events.
        bounded: Whether outputs lie in [0, 1], so that default tolerances are absolute; None to infer it from the
            graph's last operator.
        background: The model's default background. For each event input an average event (width,) or a matrix
            (k, width) whose last row is t = 0, and for each static input its values (width,).
        trial_length: The number of events in the trial runs when the model is loaded; None to use the default numbers.
        classes: Whether the outputs are alternatives, so that the one with the highest score is explained first. None
            means that they are, unless they are the steps of a forecast.
        reasons: How reasons read; None for the built-in texts.
        event_weights: The graph output with the model's own weight of each event, such as its attention; empty if it
            has none.
    """

    inputs: tuple[InputSchema, ...] = ()
    features: tuple[FeatureSchema, ...] = ()
    targets: tuple[TargetSchema, ...] = ()
    output: str = ""
    per_event: bool | None = None
    link: Link = Link.IDENTITY
    padding: PaddingSide | None = None
    bounded: bool | None = None
    background: Mapping[str, tuple[float, ...] | tuple[tuple[float, ...], ...]] | None = None
    trial_length: int | None = None
    classes: bool | None = None
    reasons: ReasonTemplates | None = None
    event_weights: str = ""
