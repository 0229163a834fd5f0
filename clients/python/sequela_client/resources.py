"""What the server keeps and its lesser answers: models, backgrounds, summaries, scores, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import word
from sequela_client.errors import SequelaError, from_item
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import Cost, ExplanationWarning, Feature, TargetScore
from sequela_client.responses import cost, explanation, target_score, warnings
from sequela_client.tensors import arrays


@dataclass(frozen=True, slots=True)
class ModelInput:
    """An input of a model. `role`: events, static, mask, length or state. `width`: columns.

    `axes`: the order of the model's own axes, where it is not batch, time, features. `allow_nan`: NaN may be sent.
    """

    name: str
    role: str
    dtype: str
    width: int
    axes: tuple[str, ...] = ()
    allow_nan: bool = False


@dataclass(frozen=True, slots=True)
class ModelFeature(Feature):
    """A feature, and what its columns hold. `kind`: numeric, categorical, one_hot or group. `categories`: names of the
    ids, or of the one-hot columns. `columns`: those of each input that belong to it, counted from 0.
    """

    kind: str = ""
    categories: tuple[str, ...] = ()
    columns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """An output of a model."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the server has. `state`: loading, ready or failed (`state_detail` says why).

    `endpoint_uri` and what follows: where it is served, if not by the server itself.
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


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A background that the server keeps. `values`, `mean_event`: arrays by input name, empty in lists."""

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
    """One line about a stored explanation. `length`: real events."""

    name: str
    create_time: datetime
    caller_id: str
    labels: Mapping[str, str]
    model: str
    model_digest: str
    length: int
    pruned_events: int
    targets: tuple[TargetScore, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Raw scores. `values`: (k, targets), one row for each sequence; by default of all outputs in the model's order."""

    targets: tuple[str, ...]
    values: NDArray[np.float64]
    model_digest: str
    cost: Cost


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sequence of a stream: an explanation or an error. `index` counts from 0."""

    index: int
    explanation: Explanation | None
    error: SequelaError | None

    def unwrap(self) -> Explanation:
        """The explanation. Raises the error where there is none."""
        if self.explanation is None:
            raise self.error or SequelaError("the server answered neither explanation nor error")
        return self.explanation


def model(message: pb.Model) -> Model:
    """A model from its message."""
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
        features=tuple(
            ModelFeature(
                item.name,
                item.label,
                item.unit,
                item.description,
                item.static,
                word(pb.FeatureKind, item.kind),
                tuple(item.categories),
                {each.input: tuple(each.columns) for each in item.columns},
            )
            for item in message.features
        ),
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
    )


def background(message: pb.Background) -> Background:
    """A background from its message."""
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
    """A line of a list from its message."""
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
    )


def scores(message: pb.ScoreResponse) -> Scores:
    """Scores from their message."""
    values = np.array([row.values for row in message.scores], dtype=np.float64)
    return Scores(
        tuple(message.targets),
        values.reshape(-1, len(message.targets)),
        message.model_digest,
        cost(message.cost),
    )


def outcome(message: pb.ExplainStreamResponse, request: pb.ExplainRequest) -> Outcome:
    """One outcome of a stream from its message; the request names the fields of an error."""
    if message.WhichOneof("outcome") == "error":
        return Outcome(message.index, None, from_item(message.error, request))
    return Outcome(message.index, explanation(message.explanation), None)
