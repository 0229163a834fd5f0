"""Models that are not there, and those that are: a misspelt name is answered with the names there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from sequela_client.client import Sequela
from sequela_client.errors import MODEL_NOT_FOUND, CallerError, NotFound, SequelaError
from sequela_client.models import ModelFile, choose

_SHOWN = 12


def model_file_there(model: str) -> None:
    """Raises CallerError for the path of a model that is no file, with what lies beside it."""
    chosen = choose(model)
    if not isinstance(chosen, ModelFile) or chosen.path.is_file():
        return
    path = chosen.path
    if path.is_dir():
        inside = sorted(path.rglob("*.onnx"))[:_SHOWN]
        found = f"; it holds {', '.join(map(str, inside))}" if inside else ""
        raise CallerError(f"model {path}: a folder, not an ONNX file{found}", reason="FILE_NOT_READABLE")
    near = _near(path)
    raise CallerError(f"model {path}: No such file{near}", reason="FILE_NOT_READABLE")


def _near(path: Path) -> str:
    """Model files in the same folder, the most alike first."""
    try:
        names = sorted(each.name for each in path.parent.glob("*.onnx"))
    except OSError:
        return ""
    alike = get_close_matches(path.name, names, 3, 0.3) or names[:3]
    return f"; {path.parent} has {', '.join(alike)}" if alike else ""


@contextmanager
def with_names_there(sequela: Sequela) -> Iterator[None]:
    """Adds the names of the server's models to the error about one that it does not have."""
    try:
        yield
    except NotFound as unknown:
        if unknown.reason != MODEL_NOT_FOUND:
            raise
        raise NotFound(f"{unknown} ({_there(sequela)})", reason=unknown.reason) from unknown


def _there(sequela: Sequela) -> str:
    try:
        names = [short(model.name) for model in islice(sequela.models(), _SHOWN + 1)]
    except SequelaError:
        return "`sequela models` lists those it has"
    if not names:
        return "the server has no models"
    return f"the server has {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"


def short(name: str) -> str:
    """A model's name as it is typed."""
    return name.removeprefix("models/").partition("/versions/")[0]
