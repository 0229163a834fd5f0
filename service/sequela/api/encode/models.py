"""Encodes models."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.common import feature, timestamp, warning
from sequela.contract.enums import (
    DTYPES,
    FEATURE_KINDS,
    LINKS,
    MODEL_SOURCES,
    MODEL_STATES,
    ROLES,
    TRANSFORMS,
)
from sequela.explain.explanation import Feature
from sequela.explain.ports import ModelInfo, ModelRecord, Page
from sequela.explain.schema import Display, FeatureKind, FeatureSchema, InputSchema, ModelSchema, Role


def model(record: ModelRecord) -> pb.Model:
    """Encodes a model. The properties that come from its file are only set once it is loaded."""
    message = pb.Model(
        name=record.name,
        digest=record.digest,
        source=MODEL_SOURCES.number(record.source),
        state=MODEL_STATES.number(record.state),
        state_detail=record.detail,
        create_time=timestamp(record.create_time),
        execution=record.execution,
    )
    if record.info:
        _describe(message, record.info)
    if record.endpoint:
        endpoint = record.endpoint.info
        message.endpoint_uri = endpoint.uri
        message.endpoint_version = endpoint.version
        message.endpoint_revision = endpoint.revision
    return message


def models(page: Page[ModelRecord]) -> pb.ListModelsResponse:
    """Encodes a page of models."""
    return pb.ListModelsResponse(models=map(model, page.items), next_page_token=page.next_token)


def _describe(message: pb.Model, info: ModelInfo) -> None:
    schema, default = info.schema, info.default_background
    message.inputs.extend(map(_input, schema.inputs))
    message.features.extend(_feature(schema, item) for item in schema.features)
    message.targets.extend(pb.Target(name=target.name, label=target.label) for target in schema.targets)
    message.link = LINKS.number(schema.link)
    message.fixed_length = info.fixed_length or 0
    message.per_event = bool(schema.per_event)
    message.bounded = bool(schema.bounded)
    message.warnings.extend(map(warning, info.warnings))
    message.default_background_digest = default.digest if default else ""
    message.reasons_version = "" if schema.reasons is None else str(schema.reasons.version)
    message.event_weights = schema.event_weights


def _input(item: InputSchema) -> pb.ModelInput:
    return pb.ModelInput(
        name=item.name,
        role=ROLES.number(item.role),
        dtype=DTYPES.number(item.dtype),
        width=item.width,
        axes=item.axes,
        allow_nan=item.allow_nan,
    )


def _feature(schema: ModelSchema, item: FeatureSchema) -> pb.Feature:
    """Encodes a feature and its columns, so that callers can arrange named columns."""
    static = {each.name for each in schema.inputs if each.role is Role.STATIC}
    message = feature(
        Feature(
            item.name,
            item.label or item.name,
            item.unit,
            item.description,
            not static.isdisjoint(item.columns),
        )
    )
    message.kind = FEATURE_KINDS.number(item.kind)
    message.categories.extend(item.categories)
    message.columns.extend(
        pb.FeatureColumns(input=name, columns=columns) for name, columns in item.columns.items()
    )
    # Categories are shown by their names.
    if item.kind in (FeatureKind.NUMERIC, FeatureKind.GROUP):
        message.display.CopyFrom(_display(item.display))
    return message


def _display(item: Display) -> pb.Display:
    return pb.Display(
        transform=TRANSFORMS.number(item.transform),
        mean=item.mean,
        scale=item.scale,
        decimals=item.decimals,
    )
