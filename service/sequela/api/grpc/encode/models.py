"""Models as the caller reads them."""

from __future__ import annotations

from collections.abc import Mapping

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.encode.common import LINKS, feature, timestamp, warning
from sequela.explain.ports import Model, ModelRecord, ModelSource, ModelState
from sequela.explain.result.explanation import Feature
from sequela.explain.schema import Dtype, FeatureKind, FeatureSchema, InputSchema, ModelSchema, Role

ROLES: Mapping[Role, pb.InputRole.ValueType] = {
    Role.EVENTS: pb.INPUT_ROLE_EVENTS,
    Role.STATIC: pb.INPUT_ROLE_STATIC,
    Role.MASK: pb.INPUT_ROLE_MASK,
    Role.LENGTH: pb.INPUT_ROLE_LENGTH,
    Role.STATE: pb.INPUT_ROLE_STATE,
}
DTYPES: Mapping[Dtype, pb.DataType.ValueType] = {
    Dtype.FLOAT32: pb.DATA_TYPE_FLOAT32,
    Dtype.FLOAT64: pb.DATA_TYPE_FLOAT64,
    Dtype.INT32: pb.DATA_TYPE_INT32,
    Dtype.INT64: pb.DATA_TYPE_INT64,
    Dtype.BOOL: pb.DATA_TYPE_BOOL,
}
KINDS: Mapping[FeatureKind, pb.FeatureKind.ValueType] = {
    FeatureKind.NUMERIC: pb.FEATURE_KIND_NUMERIC,
    FeatureKind.CATEGORICAL: pb.FEATURE_KIND_CATEGORICAL,
    FeatureKind.ONE_HOT: pb.FEATURE_KIND_ONE_HOT,
    FeatureKind.GROUP: pb.FEATURE_KIND_GROUP,
}
SOURCES: Mapping[ModelSource, pb.ModelSource.ValueType] = {
    ModelSource.REPOSITORY: pb.MODEL_SOURCE_REPOSITORY,
    ModelSource.UPLOAD: pb.MODEL_SOURCE_UPLOAD,
    ModelSource.ENDPOINT: pb.MODEL_SOURCE_ENDPOINT,
}
STATES: Mapping[ModelState, pb.ModelState.ValueType] = {
    ModelState.LOADING: pb.MODEL_STATE_LOADING,
    ModelState.READY: pb.MODEL_STATE_READY,
    ModelState.FAILED: pb.MODEL_STATE_FAILED,
}


def model(record: ModelRecord) -> pb.Model:
    """All that is known of a model; what its file says, once it is loaded."""
    message = pb.Model(
        name=record.name,
        digest=record.digest,
        source=SOURCES[record.source],
        state=STATES[record.state],
        state_detail=record.detail,
        create_time=timestamp(record.create_time),
        execution=record.execution,
    )
    if record.model:
        _describe(message, record.model)
    return message


def _describe(message: pb.Model, loaded: Model) -> None:
    schema = loaded.info.schema
    default = loaded.info.default_background
    message.inputs.extend(map(_input, schema.inputs))
    message.features.extend(_feature(schema, item) for item in schema.features)
    message.targets.extend(pb.Target(name=target.name, label=target.label) for target in schema.targets)
    message.link = LINKS[schema.link]
    message.fixed_length = loaded.info.fixed_length or 0
    message.per_event = bool(schema.per_event)
    message.bounded = bool(schema.bounded)
    message.warnings.extend(map(warning, loaded.info.warnings))
    message.default_background_digest = default.digest if default else ""
    if loaded.endpoint:
        endpoint = loaded.endpoint.info
        message.endpoint_uri = endpoint.uri
        message.endpoint_version = endpoint.version
        message.endpoint_revision = endpoint.revision


def _input(item: InputSchema) -> pb.ModelInput:
    return pb.ModelInput(
        name=item.name,
        role=ROLES[item.role],
        dtype=DTYPES[item.dtype],
        width=item.width,
        axes=item.axes,
        allow_nan=item.allow_nan,
    )


def _feature(schema: ModelSchema, item: FeatureSchema) -> pb.Feature:
    """A feature, and where its columns lie: who has columns by name can put them in place."""
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
    message.kind = KINDS[item.kind]
    message.categories.extend(item.categories)
    message.columns.extend(
        pb.FeatureColumns(input=name, columns=columns) for name, columns in item.columns.items()
    )
    return message
