"""Errors in the caller's own words: paths of sequela.v1 become those of the request that was really sent."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from sequela.errors import SequelaError, Violation

Tell = Callable[[str, int | None], str]
"""What a path of sequela.v1 is called at one door; the row it is about, where there is one."""

PATH = re.compile(r"sequences?(?:\[(?P<row>\d+)\])?(?:\.inputs(?:\[(?P<input>\d+)\](?P<rest>.*))?)?$")


@contextlib.contextmanager
def retelling(tell: Tell, row: int | None = None) -> Iterator[None]:
    """Passes on errors with their paths retold; the row at fault also stands in their metadata."""
    try:
        yield
    except SequelaError as error:
        for each in error.violations:
            if row is None and (found := PATH.match(each.field)) and found["row"]:
                row = int(found["row"])
            note = _note(error.reason, each.field)
            if note:
                error.message = error.message.replace(each.description, each.description + note)
            error.message = error.message.replace(f"{each.field}: ", f"{tell(each.field, row)}: ")
        error.violations = tuple(
            Violation(tell(each.field, row), each.description + _note(error.reason, each.field))
            for each in error.violations
        )
        if row is not None:
            error.metadata["row"] = str(row)
        raise


def _note(reason: str, field: str) -> str:
    """Who leaves out the batch is told of a shape that was not sent."""
    if reason != "SHAPE_MISMATCH" or not PATH.match(field):
        return ""
    return "; this is one row, since the first axis counts the rows"


def of_tensors(path: str, row: int | None) -> str:
    """By the names of the Open Inference Protocol: a row is part of its batch, whatever its number."""
    found = PATH.match(path)
    if not found:
        return of_parameters(path, row)
    rest = (found["rest"] or "").replace(".tensor", "").replace(".dtype", ".datatype")
    return f"inputs[{found['input']}]{rest}" if found["input"] else "inputs"


def of_instances(path: str, row: int | None) -> str:
    """By the names of KServe's first protocol, where an instance is all that a row takes."""
    if not PATH.match(path):
        return of_parameters(path, row)
    return "instances" if row is None else f"instances[{row}]"


def of_parameters(path: str, _: int | None) -> str:
    """What is not about a row: the model, the background, and the options."""
    if path.startswith("parameters"):
        return path
    if path.startswith("model"):
        return "model_name"
    return f"parameters.{path.removeprefix('options.').split('.')[0]}"
