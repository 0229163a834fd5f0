"""The names by which people call a model."""

from __future__ import annotations

import re
from pathlib import PurePath

# What the service calls a model, or one of its versions. Anything else is the path or the address of a file.
_OWN_NAME = re.compile(r"models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?")
# A run over checkpoints has this in the place of what differs between them.
_PLACEHOLDER = "{checkpoint}"
_CHECKPOINT = re.compile(r"[-_.]?\{checkpoint\}")


def model_names(model: str) -> tuple[str, ...]:
    """Returns the ways to write the name of a model, the most exact first."""
    found = _OWN_NAME.fullmatch(model)
    if found is None:
        return (model, PurePath(model).name)
    name, version = found["model"], found["version"]
    return (model, *((f"{name}/{version}",) if version else ()), f"models/{name}", name)


def model_words(model: str) -> str:
    """Returns the name of a model for people: "m, version 3", or the name of its file."""
    found = _OWN_NAME.fullmatch(model)
    if found is None:
        return _CHECKPOINT.sub("", PurePath(model).name)
    version = found["version"]
    return f"{found['model']}, version {version}" if version not in (None, _PLACEHOLDER) else found["model"]
