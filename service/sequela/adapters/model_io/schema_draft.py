"""The schema of a model: given beside it, written in its metadata, or inferred; always complete at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sequela.adapters.model_io.arrangement import arrange
from sequela.adapters.model_io.input_roles import InputRoles, complete_inputs, infer_inputs
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.outputs import OutputLayout
from sequela.adapters.model_io.schema_check import (
    check_entries,
    check_features,
    check_inputs,
    check_targets,
)
from sequela.adapters.model_io.schema_json import read_schema
from sequela.adapters.model_io.signature import Signature
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.schema import (
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
UNNAMED_TARGET = "score"
"""The target of an output that has no name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a schema before the model has run. `given`: somebody wrote it, at `path`.

    `written`: its inputs as they were written, empty where they are inferred. `server_signature`: the model's inputs
    in the server's own order (states left as they are). `other`: another reading of the inputs' axes, which a trial
    should tell from this one.
    """

    schema: ModelSchema
    given: bool
    path: str
    written: tuple[InputSchema, ...] = ()
    server_signature: Signature = field(default_factory=lambda: Signature((), ()))
    alternative: Draft | None = None

    @property
    def per_event(self) -> bool | None:
        """What the writer of the schema says of it; None where he says nothing."""
        return self.schema.per_event


def draft_schema(
    metadata: Mapping[str, str],
    signature: Signature,
    schema_json: bytes,
    limits: Limits,
    model_path: str,
    schema_path: str,
    uses: Mapping[str, InputUse] | None = None,
) -> Draft:
    """The schema from `schema_json`, else from the model's metadata; inputs and features that it leaves out
    are inferred, with what is known of the graph (`uses`). Both are checked. The paths tell where model and schema
    stand in the request.

    Raises InvalidInput: SCHEMA_TOO_LARGE, SCHEMA_INVALID, SCHEMA_DOES_NOT_FIT, SCHEMA_NEEDED.
    """
    draft = _draft(metadata, schema_json, limits, model_path, schema_path)
    draft = replace(draft, written=draft.schema.inputs)
    known = uses or {}
    inferred = (
        complete_inputs(draft.written, signature, known, draft.path)
        if draft.written
        else infer_inputs(signature, known, model_path)
    )

    def drafted(inputs: tuple[InputSchema, ...]) -> Draft:
        turned = _arranged(inputs, signature, limits, draft.path)
        features = draft.schema.features or _features(inputs, metadata, model_path)
        schema = replace(draft.schema, inputs=inputs, features=features)
        check_features(schema, draft.path)
        return replace(draft, schema=schema, server_signature=turned)

    return replace(drafted(inferred.inputs), alternative=_alternative(inferred, drafted))


def _alternative(inferred: InputRoles, drafted: Callable[[tuple[InputSchema, ...]], Draft]) -> Draft | None:
    """Where the other reading does not even fit, there is none."""
    try:
        return drafted(inferred.alternative) if inferred.alternative else None
    except InvalidInput:
        return None


def _arranged(inputs: tuple[InputSchema, ...], signature: Signature, limits: Limits, path: str) -> Signature:
    """The signature in the server's order, which the inputs fit."""
    check_entries(inputs, signature, path)
    known = {item.name: item for item in inputs}
    turned = replace(signature, inputs=tuple(arrange(known[seen.name], seen)[1] for seen in signature.inputs))
    check_inputs(inputs, turned, limits, path)
    return turned


def _draft(
    metadata: Mapping[str, str], schema_json: bytes, limits: Limits, model_path: str, schema_path: str
) -> Draft:
    """As somebody wrote it, or empty."""
    in_metadata = metadata.get(SCHEMA_KEY, "").encode()
    if schema_json:
        return _written(schema_json, limits, schema_path)
    if in_metadata:
        return _written(in_metadata, limits, f"{model_path}: metadata {SCHEMA_KEY}")
    return Draft(ModelSchema(), False, model_path)


def _written(text: bytes, limits: Limits, path: str) -> Draft:
    if len(text) > limits.max_schema_bytes:
        described = f"{len(text)} bytes, the limit is {limits.max_schema_bytes}"
        raise InvalidInput.at(path, "SCHEMA_TOO_LARGE", described)
    return Draft(read_schema(text, path), True, path)


def complete_schema(
    draft: Draft, metadata: Mapping[str, str], output: str, layout: OutputLayout, bounded: bool
) -> ModelSchema:
    """The schema with every field filled in; `bounded` is what the model itself tells.

    Raises InvalidInput (SCHEMA_DOES_NOT_FIT) for targets that do not fit.
    """
    targets = draft.schema.targets or _targets(metadata, output, layout)
    check_targets(targets, layout.count, draft.path)
    return replace(
        draft.schema,
        targets=targets,
        output=output,
        per_event=layout.per_event,
        classes=layout.classes if draft.schema.classes is None else draft.schema.classes,
        bounded=bounded if draft.schema.bounded is None else draft.schema.bounded,
    )


def _targets(metadata: Mapping[str, str], output: str, layout: OutputLayout) -> tuple[TargetSchema, ...]:
    """Named by the metadata, else by what is known of the output's columns, else after the output."""
    unnamed = (output or UNNAMED_TARGET,) if layout.count == 1 else layout.numbered_names
    names = _names(metadata, TARGETS_KEY) or layout.names or unnamed
    return tuple(TargetSchema(name) for name in names)


def _features(
    inputs: tuple[InputSchema, ...], metadata: Mapping[str, str], path: str
) -> tuple[FeatureSchema, ...]:
    """One feature for each event column, then one for each static input; the metadata may name the first or
    all of them.
    """
    features = (*_event_features(inputs), *_static_features(inputs))
    names = _names(metadata, FEATURES_KEY)
    columns = sum(item.width for item in inputs if item.role is Role.EVENTS)
    if names and len(names) not in (columns, len(features)):
        text = f"metadata {FEATURES_KEY} holds {len(names)} names for {columns} columns of events"
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    named = [replace(feature, name=name) for name, feature in zip(names, features, strict=False)]
    return (*named, *features[len(named) :])


def _event_features(inputs: tuple[InputSchema, ...]) -> Iterator[FeatureSchema]:
    """`f0`, `f1`, … of a lone event input; of several `left.f0`, `right.f0`. A column of ids has its input's name."""
    events = [item for item in inputs if item.role is Role.EVENTS]
    for item in events:
        prefix = f"{item.name}." if len(events) > 1 else ""
        for column in range(item.width):
            if not _holds_ids(item):
                yield FeatureSchema(f"{prefix}f{column}", {item.name: (column,)})
                continue
            name = item.name if item.width == 1 else f"{prefix or item.name}{column}"
            yield FeatureSchema(name, {item.name: (column,)}, FeatureKind.CATEGORICAL)


def _static_features(inputs: tuple[InputSchema, ...]) -> Iterator[FeatureSchema]:
    for item in inputs:
        if item.role is Role.STATIC:
            alone = FeatureKind.CATEGORICAL if _holds_ids(item) else FeatureKind.NUMERIC
            kind = alone if item.width == 1 else FeatureKind.GROUP
            yield FeatureSchema(item.name, {item.name: tuple(range(item.width))}, kind)


def _holds_ids(item: InputSchema) -> bool:
    return item.dtype not in (Dtype.FLOAT32, Dtype.FLOAT64)


def _names(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in metadata.get(key, "").split(",") if name.strip())
