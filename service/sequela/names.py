"""Parses and composes the names of models, backgrounds and explanations, and digests. No other module does so.

    models/m/versions/v        a version of a model; `m/v` in short, `models/m` or `m` without a version
    models/m/backgrounds/b     a background, which belongs to all versions of its model
    explanations/e             an explanation

`m`, `b` and `e` are 1 to 128 letters, digits, `.`, `_` and `-`, and not dots alone, which would mean a folder. `v` is a
whole number without leading zeros. A digest is a SHA-256, written as 64 hexadecimal digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sequela.errors import InvalidInput

MAX_NAME_LENGTH = 128
MAX_VERSION_DIGITS = 18
"""The largest number of digits that always fits 64 bits."""

_CHARACTERS = f"1 to {MAX_NAME_LENGTH} letters (a to z, A to Z), digits, '.', '_' and '-'"
_MODEL_PARTS = f"with m {_CHARACTERS}, and v a whole number without leading zeros"
_BACKGROUND_PARTS = f"with m and b {_CHARACTERS}"
MODEL_FORMS = f"`models/m`, `models/m/versions/v`, `m` or `m/v`, {_MODEL_PARTS}"
MODEL_OWNER_FORMS = "`models/m` or `m` (backgrounds belong to all versions of a model)"
UPLOAD_FORMS = f"`m`, `m/v` or empty, {_MODEL_PARTS}"
BACKGROUND_FORMS = f"`models/m/backgrounds/b`, {_BACKGROUND_PARTS}"
BACKGROUND_REFERENCE_FORMS = f"`models/m/backgrounds/b` or `b`, {_BACKGROUND_PARTS}"
NEW_BACKGROUND_FORMS = f"`models/m/backgrounds/b`, `models/m/backgrounds/` or empty, {_BACKGROUND_PARTS}"
EXPLANATION_FORMS = "`explanations/e`"
DIGEST_FORM = "a SHA-256 as 64 hexadecimal digits"
"""The allowed forms, for error messages."""

# Not dots alone, because names become folders.
_PART = rf"(?!\.+(?:/|$))[A-Za-z0-9._-]{{1,{MAX_NAME_LENGTH}}}"
_NUMBER = rf"(?:0|[1-9][0-9]{{0,{MAX_VERSION_DIGITS - 1}}})"
_MODEL_PART = re.compile(_PART)
_VERSION = re.compile(_NUMBER)
_MODEL = re.compile(
    rf"models/(?P<full>{_PART})(?:/versions/(?P<full_version>{_NUMBER}))?"
    rf"|(?P<short>{_PART})(?:/(?P<short_version>{_NUMBER}))?"
)
_UPLOAD = re.compile(rf"(?:{_PART}(?:/{_NUMBER})?)?")
_BACKGROUND = re.compile(rf"(?P<owner>models/{_PART})/backgrounds/(?P<name>{_PART})")
_NEW_BACKGROUND = re.compile(rf"(?:(?P<owner>models/{_PART})/backgrounds/(?:{_PART})?)?")
_EXPLANATION = re.compile(rf"explanations/{_PART}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """A model and one of its versions."""

    model: str
    version: int

    @property
    def full(self) -> str:
        """`models/m/versions/v`."""
        return f"models/{self.model}/versions/{self.version}"

    @property
    def short(self) -> str:
        """`m/v`."""
        return f"{self.model}/{self.version}"

    @property
    def entry(self) -> str:
        """`m/v` with zeros before the version: written so, names sort by model and version."""
        return f"{self.model}/{self.version:0{MAX_VERSION_DIGITS}}"

    @classmethod
    def of_entry(cls, entry: str) -> ModelName | None:
        """Returns the name that an entry stands for, or None if it is not one."""
        model, _, version = entry.partition("/")
        if not (is_model(model) and version.isascii() and version.isdigit()):
            return None
        name = cls(model, int(version))
        return name if name.entry == entry else None


@dataclass(frozen=True, slots=True)
class ModelPattern:
    """A model, and one of its versions or None for any."""

    model: str
    version: int | None

    @property
    def short(self) -> str:
        """`m`, or `m/v`."""
        return self.model if self.version is None else f"{self.model}/{self.version}"

    def matches(self, name: ModelName) -> bool:
        """Returns whether the model is this one."""
        return name.model == self.model and self.version in (None, name.version)


def parse_name(text: str, path: str) -> ModelPattern:
    """Reads a model's name, short or full. Raises InvalidInput (NAME_INVALID) for the field at `path`."""
    found = _pattern(text)
    if found is None:
        text = f"{text[:MAX_NAME_LENGTH]!r} is not a valid model name; expected {MODEL_FORMS}"
        raise InvalidInput.at(path, "NAME_INVALID", text)
    return found


def is_model_reference(text: str) -> bool:
    """Returns whether a text is a model's name in any form, with or without a version."""
    return _pattern(text) is not None


def is_model_owner(text: str) -> bool:
    """Returns whether a text is `models/m` or `m`."""
    found = _pattern(text)
    return found is not None and found.version is None


def is_upload_name(text: str) -> bool:
    """Returns whether an upload may request this name: empty, `m` or `m/v`."""
    return _UPLOAD.fullmatch(text) is not None


def is_model(text: str) -> bool:
    """Returns whether a text is an `m`."""
    return _MODEL_PART.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Returns whether a text is a `v`."""
    return _VERSION.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Returns whether a text is a digest, in lower case."""
    return _DIGEST.fullmatch(text) is not None


def model_owner(text: str) -> str:
    """Returns `models/m` for a model's name in any form."""
    found = _pattern(text)
    return f"models/{found.model}" if found else text


def model_version(full: str) -> str:
    """Returns `v` of `models/m/versions/v`, or an empty string if there is none."""
    found = _pattern(full)
    return "" if found is None or found.version is None else str(found.version)


def names_model(wanted: str, full: str) -> bool:
    """Returns whether `wanted`, in any form, refers to the model `models/m/versions/v` or to all of its versions."""
    pattern, model = _pattern(wanted), _pattern(full)
    if pattern is None or model is None:
        return False
    return pattern.model == model.model and pattern.version in (None, model.version)


def is_background(text: str) -> bool:
    """Returns whether a text is `models/m/backgrounds/b`."""
    return _BACKGROUND.fullmatch(text) is not None


def is_background_reference(text: str) -> bool:
    """Returns whether a text is `models/m/backgrounds/b` or `b`."""
    return is_background(text) or is_model(text)


def is_new_background(text: str) -> bool:
    """Returns whether a new background may request this name: empty, complete, or without `b`, which is its digest."""
    return _NEW_BACKGROUND.fullmatch(text) is not None


def background_owner(text: str) -> str:
    """Returns `models/m` of a background's name, which may lack `b`, or an empty string if there is none."""
    found = _NEW_BACKGROUND.fullmatch(text)
    return (found["owner"] or "") if found else ""


def background_name(owner: str, name: str) -> str:
    """Returns the full name of the background `b` of the model `models/m`. A full name is returned unchanged."""
    return name if is_background(name) else f"{background_prefix(owner)}{name}"


def background_prefix(owner: str) -> str:
    """Returns the prefix of the names of all backgrounds of `models/m`, or an empty string without a model."""
    return f"{owner}/backgrounds/" if owner else ""


def is_explanation(text: str) -> bool:
    """Returns whether a text is `explanations/e`."""
    return _EXPLANATION.fullmatch(text) is not None


def explanation_name(identifier: str) -> str:
    """Returns `explanations/e` for an identifier `e`."""
    return f"explanations/{identifier}"


def _pattern(text: str) -> ModelPattern | None:
    found = _MODEL.fullmatch(text)
    if not found:
        return None
    model = found["full"] or found["short"]
    version = found["full_version"] or found["short_version"]
    return ModelPattern(model, None if version is None else int(version))
