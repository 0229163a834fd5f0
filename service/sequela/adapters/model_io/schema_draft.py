"""Makes the schema of a model from a schema.json or the model's metadata, and from the model itself.

A draft is the schema before the model has run (`draft_schema`); `complete_schema` adds what its output shows.
"""

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
"""The name of the target if the output has none."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a schema before the model has run.

    Attributes:
        schema: The schema, with inputs and features completed.
        given: Whether somebody wrote a schema.
        path: Its path in the request; without a schema, the path of the model.
        written: Its inputs as they were written; empty if they are inferred.
        server_signature: The model's signature in the server's order of axes (states are left as they are).
        alternative: Another reading of the inputs' axes, if a trial has to show which of the two is right.
    """

    schema: ModelSchema
    given: bool
    path: str
    written: tuple[InputSchema, ...] = ()
    server_signature: Signature = field(default_factory=lambda: Signature((), ()))
    alternative: Draft | None = None

    @property
    def per_event(self) -> bool | None:
        """The schema's `per_event`, or None if it does not say."""
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
    """Drafts the schema from `schema_json`, or else from the metadata. Missing inputs and features are inferred.

    Args:
        metadata: The model's own key-value notes.
        signature: The model's inputs and outputs, in its own order of axes.
        schema_json: The text of a schema.json, or empty.
        limits: The server's limits.
        model_path: The path of the model in the request, for errors.
        schema_path: The path of the schema in the request, for errors.
        uses: How the graph uses its inputs, if that is known.

    Raises:
        InvalidInput: SCHEMA_TOO_LARGE, SCHEMA_INVALID, SCHEMA_DOES_NOT_FIT, SCHEMA_NEEDED.
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
    """Returns the draft of the alternative reading, if there is one and it fits the model."""
    try:
        return drafted(inferred.alternative) if inferred.alternative else None
    except InvalidInput:
        return None


def _arranged(inputs: tuple[InputSchema, ...], signature: Signature, limits: Limits, path: str) -> Signature:
    """Returns the signature in the server's order of axes, after checking that the inputs fit it."""
    check_entries(inputs, signature, path)
    known = {item.name: item for item in inputs}
    turned = replace(signature, inputs=tuple(arrange(known[seen.name], seen)[1] for seen in signature.inputs))
    check_inputs(inputs, turned, limits, path)
    return turned


def _draft(
    metadata: Mapping[str, str], schema_json: bytes, limits: Limits, model_path: str, schema_path: str
) -> Draft:
    """Returns the schema as somebody wrote it, or an empty one."""
    in_metadata = metadata.get(SCHEMA_KEY, "").encode()
    if schema_json:
        return _written(schema_json, limits, schema_path)
    if in_metadata:
        return _written(in_metadata, limits, f"{model_path}: metadata {SCHEMA_KEY}")
    return Draft(ModelSchema(), False, model_path)


def _written(text: bytes, limits: Limits, path: str) -> Draft:
    if len(text) > limits.max_schema_bytes:
        size = f"the schema has {len(text)} bytes, but the limit is {limits.max_schema_bytes} (--max-schema-bytes)"
        raise InvalidInput.at(path, "SCHEMA_TOO_LARGE", size)
    return Draft(read_schema(text, path), True, path)


def complete_schema(
    draft: Draft, metadata: Mapping[str, str], output: str, layout: OutputLayout, bounded: bool
) -> ModelSchema:
    """Fills in every field of a schema.

    Args:
        draft: The schema so far.
        metadata: The model's own key-value notes, which may name the targets.
        output: The output that is explained.
        layout: What it holds.
        bounded: Whether the model itself shows that outputs lie in [0, 1].

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT if the targets do not fit the output.
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
    """Returns targets named by the metadata, or else by the output's columns, or else after the output."""
    unnamed = (output or UNNAMED_TARGET,) if layout.count == 1 else layout.numbered_names
    names = _names(metadata, TARGETS_KEY) or layout.names or unnamed
    return tuple(TargetSchema(name) for name in names)


def _features(
    inputs: tuple[InputSchema, ...], metadata: Mapping[str, str], path: str
) -> tuple[FeatureSchema, ...]:
    """Returns one feature for each event column, then one for each static input.

    The metadata may name those of the event columns, or all.
    """
    features = (*_event_features(inputs), *_static_features(inputs))
    names = _names(metadata, FEATURES_KEY)
    columns = sum(item.width for item in inputs if item.role is Role.EVENTS)
    if names and len(names) not in (columns, len(features)):
        text = (
            f"metadata {FEATURES_KEY} has {len(names)} names, but the model has {columns} columns of events"
        )
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)
    # Fewer names than features: they name the event columns, which come first.
    named = [replace(feature, name=name) for name, feature in zip(names, features, strict=False)]
    return (*named, *features[len(named) :])


def _event_features(inputs: tuple[InputSchema, ...]) -> Iterator[FeatureSchema]:
    """Yields features named `f0` for one event input, `left.f0` for several, or after the input if they hold ids."""
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
    return not item.dtype.is_float


def _names(metadata: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in metadata.get(key, "").split(",") if name.strip())
