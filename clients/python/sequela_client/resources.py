"""Models, backgrounds, summaries, scores and outcomes, as callers get them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.display import Display, Transform
from sequela_client.enums import word
from sequela_client.errors import SequelaError
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import Cost, ExplanationWarning, Feature, TargetScore
from sequela_client.pages.notebook import model_html, scores_html
from sequela_client.responses import cost, explanation, target_score, warnings
from sequela_client.statuses import from_item
from sequela_client.tensors import arrays


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An input of a model.

    Args:
        name: its name.
        role: events, static, mask, length or state.
        dtype: its element type.
        width: how many columns it has.
        axes: the order of the model's axes; empty for the usual order, which is batch, time, features.
        allow_nan: whether values may be NaN.
    """

    name: str
    role: str
    dtype: str
    width: int
    axes: tuple[str, ...] = ()
    allow_nan: bool = False


@dataclass(frozen=True, slots=True)
class ModelFeature(Feature):
    """A feature of a model, with the columns that it stands for.

    Args:
        kind: numeric, categorical, one_hot or group.
        categories: the names of the ids, or of the one-hot columns.
        columns: the columns that belong to it, counted from 0, by input name.
        display: how its numbers are shown in their own unit; None for categories, and if the server does not say.
    """

    kind: str = ""
    categories: tuple[str, ...] = ()
    columns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    display: Display | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """An output of a model."""

    name: str
    label: str


@dataclass(frozen=True, slots=True, repr=False)
class Model:
    """A model that the server has.

    Args:
        name: `models/m/versions/v`.
        digest: SHA-256 of the model, and of its schema if it has one.
        source: where the model comes from, such as the repository or an upload.
        state: loading, ready or failed; `state_detail` says why it failed.
        inputs: its inputs.
        features: its features.
        targets: its outputs.
        link: the scale on which its output is explained by default.
        fixed_length: how many events it takes; None: any number.
        per_event: whether it has an output for every event.
        bounded: whether outputs lie in [0, 1].
        default_background_digest: the digest of its default background; empty if it has none.
        execution: whether it is run on whole sequences or from states, and why.
        endpoint_uri: the URI of the server that runs it; empty if Sequela itself runs it.
        warnings: what to know about it.
        reasons_version: the version of the reason templates in its schema; empty if it has none.
        event_weights: the output with its own weight of each event; empty if it has none.
    """

    name: str
    digest: str
    source: str
    state: str
    state_detail: str
    inputs: tuple[ModelInput, ...]
    features: tuple[ModelFeature, ...]
    targets: tuple[Target, ...]
    link: str
    fixed_length: int | None
    per_event: bool
    bounded: bool
    default_background_digest: str
    create_time: datetime
    execution: str
    endpoint_uri: str
    endpoint_version: str
    endpoint_revision: str
    warnings: tuple[ExplanationWarning, ...] = ()
    reasons_version: str = ""
    event_weights: str = ""

    def __repr__(self) -> str:
        """Its name, its state and how much it has; all its features would fill a page."""
        targets = ", ".join(target.name for target in self.targets[:3]) + (", …" if self.targets[3:] else "")
        return (
            f"<Model {self.name}, {self.state}, inputs: {len(self.inputs)}, features: {len(self.features)}, "
            f"targets: {targets or 'none'}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return model_html(self)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A background that the server stores.

    Args:
        rows: the number of positions; 1 for an average event.
        sequences: how many sequences it is the average of.
        averaged_events: how many events it is the average of.
        values: arrays by input name; empty in lists.
        mean_event: the event that is used before the first row; empty in lists.
    """

    name: str
    digest: str
    create_time: datetime
    rows: int
    sequences: int
    averaged_events: int
    values: Mapping[str, NDArray[Any]]
    mean_event: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ExplanationSummary:
    """A short description of a stored explanation.

    Args:
        length: the number of real events in the sequence.
        requested_by: the name of the authenticated caller whose request it answers; empty if the server does not know.
    """

    name: str
    create_time: datetime
    caller_id: str
    labels: Mapping[str, str]
    model: str
    model_digest: str
    length: int
    pruned_events: int
    targets: tuple[TargetScore, ...]
    requested_by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores before the link. `values` is (k, targets), with one row for each sequence."""

    targets: tuple[str, ...]
    values: NDArray[np.float64]
    model_digest: str
    cost: Cost

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return scores_html(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The explanation of one sequence of a stream, or the error if it failed. `index` counts the sequences from 0."""

    index: int
    explanation: Explanation | None
    error: SequelaError | None

    def unwrap(self) -> Explanation:
        """Returns the explanation, or raises the error if there is none."""
        if self.explanation is None:
            raise self.error or SequelaError("the server sent neither an explanation nor an error")
        return self.explanation


def model(message: pb.Model) -> Model:
    """Returns a model from its message."""
    return Model(
        name=message.name,
        digest=message.digest,
        source=word(pb.ModelSource, message.source),
        state=word(pb.ModelState, message.state),
        state_detail=message.state_detail,
        inputs=tuple(
            ModelInput(
                item.name,
                word(pb.InputRole, item.role),
                word(pb.DataType, item.dtype),
                item.width,
                tuple(item.axes),
                item.allow_nan,
            )
            for item in message.inputs
        ),
        features=tuple(map(_feature, message.features)),
        targets=tuple(Target(item.name, item.label) for item in message.targets),
        link=word(pb.Link, message.link),
        fixed_length=message.fixed_length or None,
        per_event=message.per_event,
        bounded=message.bounded,
        default_background_digest=message.default_background_digest,
        create_time=message.create_time.ToDatetime(UTC),
        execution=message.execution,
        endpoint_uri=message.endpoint_uri,
        endpoint_version=message.endpoint_version,
        endpoint_revision=message.endpoint_revision,
        warnings=warnings(message.warnings),
        reasons_version=message.reasons_version,
        event_weights=message.event_weights,
    )


def _feature(message: pb.Feature) -> ModelFeature:
    return ModelFeature(
        message.name,
        message.label,
        message.unit,
        message.description,
        message.static,
        word(pb.FeatureKind, message.kind),
        tuple(message.categories),
        {each.input: tuple(each.columns) for each in message.columns},
        _display(message.display) if message.HasField("display") else None,
    )


def _display(message: pb.Display) -> Display | None:
    transform = word(pb.DisplayTransform, message.transform)
    # A newer server may have transformations that this client cannot invert.
    if transform not in get_args(Transform):
        return None
    return Display(cast(Transform, transform), message.mean, message.scale, message.decimals)


def background(message: pb.Background) -> Background:
    """Returns a background from its message."""
    return Background(
        name=message.name,
        digest=message.digest,
        create_time=message.create_time.ToDatetime(UTC),
        rows=message.rows,
        sequences=message.sequences,
        averaged_events=message.averaged_events,
        values=arrays(message.values.inputs),
        mean_event=arrays(message.values.mean_event),
    )


def summary(message: pb.ExplanationSummary) -> ExplanationSummary:
    """Returns the summary of an explanation from its message."""
    return ExplanationSummary(
        name=message.name,
        create_time=message.create_time.ToDatetime(UTC),
        caller_id=message.caller_id,
        labels=dict(message.labels),
        model=message.model,
        model_digest=message.model_digest,
        length=message.event_count,
        pruned_events=message.pruned_events,
        targets=tuple(map(target_score, message.targets)),
        requested_by=message.requested_by,
    )


def scores(message: pb.ScoreResponse) -> Scores:
    """Returns scores from their message."""
    # Without rows, numpy would not know the number of columns; reshape restores it.
    values = np.array([row.values for row in message.scores], dtype=np.float64)
    return Scores(
        tuple(message.targets),
        values.reshape(-1, len(message.targets)),
        message.model_digest,
        cost(message.cost),
    )


def outcome(message: pb.ExplainStreamResponse, request: pb.ExplainRequest) -> Outcome:
    """Returns one outcome of a stream from its message. Errors name the arguments of `request`."""
    if message.WhichOneof("outcome") == "error":
        return Outcome(message.index, None, from_item(message.error, request))
    return Outcome(message.index, explanation(message.explanation), None)
