"""Errors about a model that does not exist, which name the models that do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from sequela_client.client import Sequela
from sequela_client.errors import MODEL_NOT_FOUND, CallerError, NotFound, SequelaError
from sequela_client.models import ModelFile, choose, is_endpoint, is_version

_SHOWN = 12
_DIGEST = re.compile("[0-9a-f]{64}")
_COMPARED = 1_000  # the largest number of names to list; more would delay the message


def check_model_file(model: str) -> None:
    """Raises CallerError if the path of a model is not a file. The error names model files in that folder."""
    chosen = choose(model)
    if not isinstance(chosen, ModelFile) or chosen.path.is_file():
        return
    path = chosen.path
    if path.is_dir():
        # It is often the folder of a model repository, where the file is two levels below.
        inside = sorted(path.rglob("*.onnx"))[:_SHOWN]
        found = f"; it has {', '.join(map(str, inside))}" if inside else ""
        raise CallerError(f"model {path}: is a folder, not an ONNX file{found}", reason="FILE_NOT_READABLE")
    near = _near(path)
    raise CallerError(f"model {path}: there is no such file{near}", reason="FILE_NOT_READABLE")


def check_needs_no_server(model: str) -> None:
    """Raises NotFound for the name of a model: a server that is started for one explanation has no models."""
    if isinstance(choose(model), ModelFile) or is_endpoint(model):
        return
    text = f"model {model} is a name, not a file; to use a model by its name, name its server with --server"
    if is_version(model):
        text = f"model {model}: there is no such file; if it is a model of a server, name the server with --server"
    raise NotFound(text, reason=MODEL_NOT_FOUND)


def _near(path: Path) -> str:
    """Model files in the same folder, the most similar names first."""
    try:
        names = sorted(each.name for each in path.parent.glob("*.onnx"))
    except OSError:
        return ""
    alike = get_close_matches(path.name, names, 3, 0.3) or names[:3]
    return f"; {path.parent} has {', '.join(alike)}" if alike else ""


@contextmanager
def with_known_names(sequela: Sequela, wanted: str) -> Iterator[None]:
    """Adds the names of the server's models to an error about a model that it does not have."""
    try:
        yield
    except NotFound as unknown:
        if unknown.reason != MODEL_NOT_FOUND:
            raise
        text = f"{unknown.message} ({_known_names(sequela, wanted)})"
        raise NotFound(text, reason=unknown.reason) from unknown


def _known_names(sequela: Sequela, wanted: str) -> str:
    """Names that may be meant, and the names of the models that the server has."""
    try:
        listed = [model.name for model in islice(sequela.models(), _COMPARED)]
    except SequelaError:
        return "`sequela models` lists its models"
    if not listed:
        return "the server has no models"
    # A model may have several versions.
    names = list(dict.fromkeys(map(short, listed)))
    model = short(wanted).partition("/")[0] if is_version(wanted) else short(wanted)
    similar = [with_version(each) for each in listed if short(each) == model] or get_close_matches(
        model, names, 3, 0.5
    )
    meant = f"did you mean {' or '.join(similar[:3])}? " if similar else ""
    return f"{meant}the server has {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"


def readable(name: str) -> str:
    """Returns a model's name as people type it, or the beginning of the digest of a model without a name."""
    typed = short(name)
    return f"{typed[:12]}…" if _DIGEST.fullmatch(typed) else typed


def short(name: str) -> str:
    """Returns a model's name as people type it: `m` of `models/m/versions/v`."""
    return name.removeprefix("models/").partition("/versions/")[0]


def with_version(name: str) -> str:
    """Returns a model's name with its version: `m/v` of `models/m/versions/v`. Digests need no version."""
    typed, (_, separator, version) = readable(name), name.partition("/versions/")
    return f"{typed}/{version}" if separator and not typed.endswith("…") else typed
