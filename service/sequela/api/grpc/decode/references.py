"""Decodes references to models and backgrounds: a name, a digest, or the model or background itself."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.access_record import check_own_models
from sequela.api.grpc.decode.tensors import arrays
from sequela.api.violations import Violations
from sequela.explain.limits import Limits
from sequela.explain.request import (
    BackgroundChoice,
    DigestedBackground,
    DigestedModel,
    EndpointModel,
    GivenBackground,
    InlineModel,
    ModelChoice,
    NamedBackground,
    NamedModel,
)


def model(message: pb.ModelReference, path: str, violations: Violations, limits: Limits) -> ModelChoice:
    """Decodes a reference to a model. An empty reference is a violation."""
    match message.WhichOneof("model"):
        case "name":
            return NamedModel(
                violations.name(f"{path}.name", message.name, names.is_model_reference, names.MODEL_FORMS)
            )
        case "digest":
            return DigestedModel(_digest(message.digest, f"{path}.digest", violations))
        case "inline":
            return _inline(message.inline, f"{path}.inline", violations, limits)
        case "endpoint":
            return _endpoint(message.endpoint, f"{path}.endpoint", violations, limits)
        case _:
            violations.add(path, "MODEL_MISSING", "one of name, digest, inline and endpoint must be set")
            # A placeholder. The violation ends the request before anybody looks for this model.
            return NamedModel("")


def unchecked_model(message: pb.ModelReference) -> ModelChoice:
    """Returns the model's name, digest or address without checking it, to choose where to do the work.

    An inline model is not copied from the message; it counts as a model without a name.
    """
    if message.HasField("endpoint"):
        return EndpointModel(message.endpoint.uri)
    if message.HasField("digest"):
        return DigestedModel(message.digest.lower())
    return NamedModel(message.name)


def check_source(message: pb.ModelReference, path: str) -> None:
    """Checks that the caller may send this model, or name this endpoint. Raises NotPermitted."""
    kind = message.WhichOneof("model")
    if kind in ("inline", "endpoint"):
        check_own_models(f"{path}.{kind}")


def background(
    message: pb.BackgroundReference, path: str, violations: Violations, limits: Limits
) -> BackgroundChoice:
    """Decodes a reference to a background. An empty reference is a violation."""
    match message.WhichOneof("background"):
        case "name":
            fits, forms = names.is_background_reference, names.BACKGROUND_REFERENCE_FORMS
            return NamedBackground(violations.name(f"{path}.name", message.name, fits, forms))
        case "digest":
            return DigestedBackground(_digest(message.digest, f"{path}.digest", violations))
        case "values":
            return background_values(message.values, f"{path}.values", violations, limits)
        case _:
            text = (
                "one of name, digest and values must be set; omit the background to use the model's default"
            )
            violations.add(path, "BACKGROUND_EMPTY", text)
            return NamedBackground("")


def background_values(
    message: pb.BackgroundValues, path: str, violations: Violations, limits: Limits
) -> GivenBackground:
    """Decodes the values of a background, without checking them against a model."""
    if not message.inputs:
        violations.add(
            f"{path}.inputs", "BACKGROUND_EMPTY", "contains no tensor; send one for each input of the model"
        )
    return GivenBackground(
        arrays(message.inputs, f"{path}.inputs", violations, limits),
        arrays(message.mean_event, f"{path}.mean_event", violations, limits),
    )


def schema_text(content: bytes, path: str, violations: Violations, limits: Limits) -> bytes:
    """Returns the content of schema.json. A text that is too long is a violation."""
    if len(content) > limits.max_schema_bytes:
        text = f"{len(content)} bytes exceed the limit of {limits.max_schema_bytes} (--max-schema-bytes)"
        violations.add(path, "SCHEMA_TOO_LARGE", text)
    return content


def _inline(message: pb.InlineModel, path: str, violations: Violations, limits: Limits) -> InlineModel:
    if not message.onnx:
        violations.add(f"{path}.onnx", "MODEL_EMPTY", "contains no bytes")
    if len(message.onnx) > limits.max_model_bytes:
        text = f"{len(message.onnx)} bytes exceed the limit of {limits.max_model_bytes} (--max-model-bytes)"
        violations.add(f"{path}.onnx", "MODEL_TOO_LARGE", text)
    return InlineModel(
        message.onnx, schema_text(message.schema_json, f"{path}.schema_json", violations, limits)
    )


def _endpoint(message: pb.EndpointModel, path: str, violations: Violations, limits: Limits) -> EndpointModel:
    return EndpointModel(
        violations.text(f"{path}.uri", message.uri, limits.max_text),
        violations.text(f"{path}.version", message.version, limits.max_text),
        schema_text(message.schema_json, f"{path}.schema_json", violations, limits),
    )


def _digest(digest: str, path: str, violations: Violations) -> str:
    return violations.name(path, digest.lower(), names.is_digest, names.DIGEST_FORM)
