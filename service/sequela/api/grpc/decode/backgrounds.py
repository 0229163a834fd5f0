"""Decodes requests of BackgroundService."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela import names
from sequela.api.background_upload import BackgroundHeader
from sequela.api.grpc.decode.references import background_values, model
from sequela.api.grpc.decode.sequences import sequence
from sequela.api.violations import Violations
from sequela.contract.enums import AVERAGES, BACKGROUND_SHAPES
from sequela.errors import InvalidInput
from sequela.explain.background_average import Average, BackgroundShape
from sequela.explain.limits import Limits
from sequela.explain.request import GivenBackground, GivenSequence, NamedModel


def background_header(message: pb.CreateBackgroundRequest | None, limits: Limits) -> BackgroundHeader:
    """Decodes the first message of an upload, which is None if there was none. Raises InvalidInput."""
    if message is None or message.WhichOneof("part") != "header":
        raise InvalidInput.at("header", "UPLOAD_ORDER", "must be sent first")
    header, violations = message.header, Violations()
    name = violations.name("header.name", header.name, names.is_new_background, names.NEW_BACKGROUND_FORMS)
    average = violations.optional_member("header.average", header.average, AVERAGES) or Average.MEAN
    shape = violations.optional_member("header.shape", header.shape, BACKGROUND_SHAPES)
    owner = names.background_owner(name)
    # A full name of a background contains its model, so the model may be left out.
    if header.HasField("model") or not owner:
        wanted = model(header.model, "header.model", violations, limits)
    else:
        wanted = NamedModel(owner)
    violations.raise_any()
    return BackgroundHeader(name, wanted, average, shape or BackgroundShape.EVENT)


def uploaded_values(message: pb.BackgroundValues, limits: Limits) -> GivenBackground:
    """Decodes the values of a background. Raises InvalidInput."""
    violations = Violations()
    given = background_values(message, "values", violations, limits)
    violations.raise_any()
    return given


def uploaded_sequence(message: pb.Sequence, limits: Limits) -> GivenSequence:
    """Decodes a sequence to average. Raises InvalidInput."""
    violations = Violations()
    given = sequence(message, "sequence", violations, limits)
    violations.raise_any()
    return given


def model_filter(name: str, violations: Violations) -> str:
    """Returns `models/m` for a full or a short name, and an empty string for an empty name."""
    if not name:
        return ""
    fits, forms = names.is_model_owner, names.MODEL_OWNER_FORMS
    return names.model_owner(violations.name("model", name, fits, forms))


def background_name(name: str) -> str:
    """Checks that a name has the form `models/m/backgrounds/b`. Raises InvalidInput."""
    return Violations.check_name("name", name, names.is_background, names.BACKGROUND_FORMS)
