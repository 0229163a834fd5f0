"""Finds models by the names that inference protocols use for them."""

from __future__ import annotations

from sequela import names
from sequela.api.violations import Violations
from sequela.explain.request import DigestedModel, ModelChoice, NamedModel


def model_choice(name: str, version: str, path: str) -> ModelChoice:
    """Returns a model by its name, `m/v` or digest, and a version that may be empty.

    Raises InvalidInput (NAME_INVALID) for the field at `path`.
    """
    # A version shows that 64 hexadecimal digits are a name and not a digest.
    if not version and names.is_digest(name.lower()):
        return DigestedModel(name.lower())
    full = f"{name}/{version}" if version else name
    return NamedModel(Violations.check_name(path, full, names.is_model_reference, names.MODEL_FORMS))
