"""Requests as plain objects, free of any transport. Shapes and names are not yet checked against a model.

Each part knows where its caller wrote it (`InputPaths`, `RequestPaths`), so that an error found later names that place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from sequela.explain.options import Options


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


@dataclass(frozen=True, slots=True)
class ArrayPath:
    """Where a caller wrote one array: its name, its values, its shape and the names of its columns.

    `shape_note` is added to messages about the shape.
    """

    name: str
    values: str
    shape: str
    columns: str
    shape_note: str = ""


@dataclass(frozen=True, slots=True)
class InputPaths:
    """Where a caller wrote the inputs of a sequence or a background: by default in the form of `sequela.v1`, as
    `sequence.inputs[0].tensor.shape`. Other protocols have subclasses.
    """

    parent: str
    field: str = "inputs"

    @property
    def inputs(self) -> str:
        """All inputs together."""
        return f"{self.parent}.{self.field}"

    @property
    def events(self) -> str:
        """What people read about the events."""
        return f"{self.parent}.events"

    def array(self, index: int) -> ArrayPath:
        """One of the inputs."""
        here = f"{self.inputs}[{index}]"
        return ArrayPath(f"{here}.name", f"{here}.tensor", f"{here}.tensor.shape", f"{here}.columns")


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
    """`models/m/backgrounds/b`, or `b` for a background of the request's model."""

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
    paths: InputPaths = InputPaths("sequence")


@dataclass(frozen=True, slots=True)
class RequestPaths:
    """Where a caller wrote the background and the options of a request."""

    background: str = "background"
    options: str = "options"

    def option(self, name: str) -> str:
        """One of the options."""
        return f"{self.options}.{name}" if self.options else name


@dataclass(frozen=True, slots=True, eq=False)
class ExplainRequest:
    """A score to explain. `caller_id` and `labels` are the caller's own, such as the id of an alert."""

    model: ModelChoice
    sequence: GivenSequence
    background: BackgroundChoice | None = None
    options: Options = field(default_factory=Options)
    caller_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    paths: RequestPaths = RequestPaths()


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRequest:
    """Sequences to score.

    Attributes:
        targets: The outputs asked for; empty for all.
        output_event: The event t ≤ 0 whose output is asked for, of a model with an output for each event.
    """

    model: ModelChoice
    sequences: tuple[GivenSequence, ...]
    targets: tuple[str, ...] = ()
    output_event: int = 0
    paths: RequestPaths = RequestPaths(options="")
