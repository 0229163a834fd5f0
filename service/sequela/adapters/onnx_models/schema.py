"""The schema of an ONNX model: given beside it, written in its metadata, or inferred; always complete at the
end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sequela.adapters.onnx_models.file import OnnxFile
from sequela.adapters.onnx_models.graph import Graph
from sequela.adapters.onnx_models.outputs import OutputLayout, is_bounded
from sequela.adapters.onnx_models.roles import infer_inputs
from sequela.adapters.schema_check import check_features, check_inputs, check_targets
from sequela.adapters.schema_json import read_schema
from sequela.errors import InvalidInput
from sequela.explaining.limits import Limits
from sequela.explaining.schema import (
    Dtype,
    FeatureKind,
    FeatureSchema,
    InputSchema,
    ModelSchema,
    Role,
    TargetSchema,
)

SCHEMA_KEY = "sequela.schema"
FEATURES_KEY = "feature_names"
TARGETS_KEY = "target_names"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a schema before the model has run. `given`: somebody wrote it, at `path`."""

    schema: ModelSchema
    given: bool
    path: str

    @property
    def per_event(self) -> bool | None:
        """What the writer of the schema says of it."""
        return self.schema.per_event if self.given else None


def draft_schema(
    file: OnnxFile, graph: Graph, schema_json: bytes, limits: Limits, onnx_path: str, schema_path: str
) -> Draft:
    """The schema from `schema_json`, else from the file's metadata; inputs and features that it leaves out
    are inferred. Both are checked.

    Raises InvalidInput: SCHEMA_TOO_LARGE, SCHEMA_INVALID, SCHEMA_DOES_NOT_FIT, SCHEMA_NEEDED.
    """
    draft = _draft(file, schema_json, limits, onnx_path, schema_path)
    inputs = draft.schema.inputs or infer_inputs(graph, onnx_path)
    check_inputs(inputs, graph, limits, draft.path)
    features = draft.schema.features or _features(inputs, file, onnx_path)
    schema = replace(draft.schema, inputs=inputs, features=features)
    check_features(schema, draft.path)
    return replace(draft, schema=schema)


def _draft(file: OnnxFile, schema_json: bytes, limits: Limits, onnx_path: str, schema_path: str) -> Draft:
    """As somebody wrote it, or empty."""
    in_metadata = file.metadata.get(SCHEMA_KEY, "").encode()
    if schema_json:
        return _written(schema_json, limits, schema_path)
    if in_metadata:
        return _written(in_metadata, limits, f"{onnx_path}: metadata {SCHEMA_KEY}")
    return Draft(ModelSchema(), False, onnx_path)


def _written(text: bytes, limits: Limits, path: str) -> Draft:
    if len(text) > limits.max_schema_bytes:
        described = f"{len(text)} bytes, the limit is {limits.max_schema_bytes}"
        raise InvalidInput.at(path, "SCHEMA_TOO_LARGE", described)
    return Draft(read_schema(text, path), True, path)


def output_name(draft: Draft, graph: Graph) -> str:
    """The output to explain: the one that the schema names, else the first. Raises InvalidInput
    (SCHEMA_DOES_NOT_FIT).
    """
    wanted = draft.schema.output or graph.outputs[0]
    if wanted not in graph.outputs:
        text = f"output: {wanted!r} is not an output of the model, which gives {', '.join(graph.outputs)}"
        raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)
    return wanted


def complete_schema(draft: Draft, file: OnnxFile, output: str, layout: OutputLayout) -> ModelSchema:
    """The schema with every field filled in. Raises InvalidInput (SCHEMA_DOES_NOT_FIT) for targets that do
    not fit.
    """
    targets = draft.schema.targets or _targets(file, output, layout.count)
    check_targets(targets, layout.count, draft.path)
    bounded = draft.schema.bounded
    return replace(
        draft.schema,
        targets=targets,
        output=output,
        per_event=layout.per_event,
        bounded=is_bounded(file.model, output) if bounded is None else bounded,
    )


def _targets(file: OnnxFile, output: str, count: int) -> tuple[TargetSchema, ...]:
    """Named by the metadata, else after the graph's output."""
    unnamed = (output,) if count == 1 else tuple(f"output{number}" for number in range(count))
    names = _names(file, TARGETS_KEY) or unnamed
    return tuple(TargetSchema(name) for name in names)


def _features(inputs: tuple[InputSchema, ...], file: OnnxFile, path: str) -> tuple[FeatureSchema, ...]:
    """One feature for each event column, then one for each static input; the metadata may name the first or
    all of them.
    """
    features = (*_event_features(inputs), *_static_features(inputs))
    names = _names(file, FEATURES_KEY)
    columns = sum(item.width for item in inputs if item.role is Role.EVENTS)
    if names and len(names) not in (columns, len(features)):
        text = f"metadata {FEATURES_KEY} holds {len(names)} names for {columns} columns of events"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    named = [replace(feature, name=name) for name, feature in zip(names, features, strict=False)]
    return (*named, *features[len(named) :])


def _event_features(inputs: tuple[InputSchema, ...]) -> Iterator[FeatureSchema]:
    number = 0
    for item in inputs:
        if item.role is not Role.EVENTS:
            continue
        for column in range(item.width):
            if _holds_ids(item):
                name = item.name if item.width == 1 else f"{item.name}{column}"
                yield FeatureSchema(name, {item.name: (column,)}, FeatureKind.CATEGORICAL)
            else:
                yield FeatureSchema(f"f{number}", {item.name: (column,)})
                number += 1


def _static_features(inputs: tuple[InputSchema, ...]) -> Iterator[FeatureSchema]:
    for item in inputs:
        if item.role is Role.STATIC:
            alone = FeatureKind.CATEGORICAL if _holds_ids(item) else FeatureKind.NUMERIC
            kind = alone if item.width == 1 else FeatureKind.GROUP
            yield FeatureSchema(item.name, {item.name: tuple(range(item.width))}, kind)


def _holds_ids(item: InputSchema) -> bool:
    return item.dtype not in (Dtype.FLOAT32, Dtype.FLOAT64)


def _names(file: OnnxFile, key: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in file.metadata.get(key, "").split(",") if name.strip())
