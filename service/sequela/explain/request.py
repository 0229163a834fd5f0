"""Requests as plain objects that do not depend on a transport. They have not been checked against a model yet.

Each part knows its path in the caller's request (`InputPaths`, `RequestPaths`), so that later errors can name it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from sequela.explain.options import Options


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model by its name: `models/m`, `models/m/versions/v`, `m` or `m/v`."""

    name: str


@dataclass(frozen=True, slots=True)
class DigestedModel:
    """A model that the server already has, by its digest."""

    digest: str


@dataclass(frozen=True, slots=True)
class InlineModel:
    """A model sent with the request. If the schema is empty, it is read from the ONNX metadata or inferred."""

    onnx: bytes = field(repr=False)
    schema_json: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class EndpointModel:
    """A model that another server runs, by its address."""

    uri: str
    version: str = ""
    schema_json: bytes = field(default=b"", repr=False)


ModelChoice = NamedModel | DigestedModel | InlineModel | EndpointModel


@dataclass(frozen=True, slots=True)
class ArrayPath:
    """The paths of one array in the caller's request: of its name, its values, its shape and its column names.

    `shape_note` is appended to messages about the shape.
    """

    name: str
    values: str
    shape: str
    columns: str
    shape_note: str = ""


@dataclass(frozen=True, slots=True)
class InputPaths:
    """The paths of the inputs of a sequence or a background in the caller's request.

    By default they have the form of `sequela.v1`, such as `sequence.inputs[0].tensor.shape`. Other protocols subclass
    it.
    """

    parent: str
    field: str = "inputs"

    @property
    def inputs(self) -> str:
        """The path of all inputs together."""
        return f"{self.parent}.{self.field}"

    @property
    def events(self) -> str:
        """The path of the notes on the events."""
        return f"{self.parent}.events"

    def array(self, index: int) -> ArrayPath:
        """Returns the paths of the input with this index."""
        here = f"{self.inputs}[{index}]"
        return ArrayPath(f"{here}.name", f"{here}.tensor", f"{here}.tensor.shape", f"{here}.columns")


@dataclass(frozen=True, slots=True, eq=False)
class NamedArray:
    """The values of one input, without a batch axis.

    Attributes:
        name: The name of the input. It may be empty for a model with one data input.
        array: The values.
        columns: The names of the array's columns, in order; empty if the caller did not send any.
    """

    name: str
    array: NDArray[Any]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedBackground:
    """A stored background by its name: `models/m/backgrounds/b`, or `b` for one of the request's model."""

    name: str


@dataclass(frozen=True, slots=True)
class DigestedBackground:
    """A background that the server already has, by its digest."""

    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class GivenBackground:
    """A background sent with the request.

    Attributes:
        inputs: For each event input an average event (d,) or a matrix (k, d), and the values of each static input.
        mean_event: For each event input, the event that stands for events older than the first row of a matrix.
    """

    inputs: tuple[NamedArray, ...]
    mean_event: tuple[NamedArray, ...] = ()


BackgroundChoice = NamedBackground | DigestedBackground | GivenBackground


@dataclass(frozen=True, slots=True)
class EventInfo:
    """The caller's notes on one event. They are stored and returned for people to read; the model never sees them."""

    id: str = ""
    time: datetime | None = None
    display: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class GivenSequence:
    """A sequence: the values of every input, and the caller's notes on its events.

    Attributes:
        inputs: The values of every input.
        events: The notes on the real events, oldest first: one for each event, or none at all.
        paths: The paths of the inputs in the request.
    """

    inputs: tuple[NamedArray, ...]
    events: tuple[EventInfo, ...] = ()
    paths: InputPaths = InputPaths("sequence")


@dataclass(frozen=True, slots=True)
class RequestPaths:
    """The paths of the background and the options in the caller's request.

    Attributes:
        background: The path of the background.
        options: The path of the options.
        background_choices: How a request may give a background, for the error if there is none.
    """

    background: str = "background"
    options: str = "options"
    background_choices: str = "name a stored background, send its values"

    def option(self, name: str) -> str:
        """Returns the path of the option with this name."""
        return f"{self.options}.{name}" if self.options else name


@dataclass(frozen=True, slots=True, eq=False)
class ExplainRequest:
    """A score to explain.

    Attributes:
        model: The model whose score it is.
        sequence: The sequence that has the score.
        background: The background; None for the model's default.
        options: How to explain.
        caller_id: The caller's own id for the sequence, for example that of an alert.
        labels: The caller's labels.
        paths: The paths of the background and the options in the request.
        dry_run: Whether the answer is computed even if one is stored already, and is not stored itself.
        requested_by: The name of the authenticated caller. It comes from authentication, never from the request itself.
        error_factor: By how much the default target of the standard errors is multiplied, because the server is
            overloaded. A target in the options is used as it is.
        share_seconds: How long the work may take in all, so that waiting requests get an answer too. f(X) and f(B) are
            computed in any case.
    """

    model: ModelChoice
    sequence: GivenSequence
    background: BackgroundChoice | None = None
    options: Options = field(default_factory=Options)
    caller_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    paths: RequestPaths = RequestPaths()
    dry_run: bool = False
    requested_by: str = ""
    error_factor: float = 1.0
    share_seconds: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """Sequences to score.

    Attributes:
        model: The model that scores them.
        sequences: The sequences.
        targets: The requested outputs; empty for all.
        output_event: The event t <= 0 whose output is requested, for models with an output for each event.
        paths: The paths of the options in the request.
    """

    model: ModelChoice
    sequences: tuple[GivenSequence, ...]
    targets: tuple[str, ...] = ()
    output_event: int = 0
    paths: RequestPaths = RequestPaths(options="")
