"""Names of models: `models/m/versions/v`, in short `m/v`; without a version `models/m` or `m`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sequela.errors import InvalidInput

LONGEST = 128
HIGHEST_VERSION_DIGITS = 18
_MODEL = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST}}}")
_VERSION = re.compile(rf"0|[1-9][0-9]{{0,{HIGHEST_VERSION_DIGITS - 1}}}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """A model and one of its versions."""

    model: str
    version: int

    @property
    def full(self) -> str:
        """The resource name."""
        return f"models/{self.model}/versions/{self.version}"

    @property
    def entry(self) -> str:
        """`m/v` with the version's digits filled up: so written, names sort as models and versions do."""
        return f"{self.model}/{self.version:0{HIGHEST_VERSION_DIGITS}}"

    @classmethod
    def of_entry(cls, entry: str) -> ModelName:
        """The name that an entry was written from."""
        model, version = entry.split("/")
        return cls(model, int(version))


@dataclass(frozen=True, slots=True)
class ModelPattern:
    """What a caller wrote: a model, and a version or None."""

    model: str
    version: int | None

    def matches(self, name: ModelName) -> bool:
        """Whether a model could be meant."""
        return name.model == self.model and self.version in (None, name.version)


def parse_name(text: str, path: str) -> ModelPattern:
    """Reads a name. Raises InvalidInput (MODEL_NAME_INVALID), naming `path`."""
    parts = text.split("/")
    if parts[0] == "models" and len(parts) > 1:
        parts = parts[1:]
        if len(parts) == 3 and parts[1] == "versions":
            del parts[1]
    model, version = parts[0], parts[1] if len(parts) > 1 else None
    if len(parts) > 2 or not is_model(model) or not (version is None or is_version(version)):
        raise InvalidInput.at(
            path,
            "MODEL_NAME_INVALID",
            f"{text[:LONGEST]!r} is not a model's name; expected models/m or models/m/versions/v, m of at "
            f"most {LONGEST} letters, digits, '.', '_' and '-', and v a whole number",
        )
    return ModelPattern(model, None if version is None else int(version))


def is_model(text: str) -> bool:
    """Whether a model may be called so; `.` and `..` are no names, because they are ways."""
    return _MODEL.fullmatch(text) is not None and text.strip(".") != ""


def is_version(text: str) -> bool:
    """Whether it is a whole number without leading zeros."""
    return _VERSION.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether it is written as 64 hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None
