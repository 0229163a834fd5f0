"""Reads from the service's code which reasons its errors have, and from docs/calling.md which the page lists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from documents import ROOT
from sequela import errors

SERVICE = ROOT / "service" / "sequela"
CLASSES = {
    name
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, errors.SequelaError) and found is not errors.SequelaError
}
REASON = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+")
IN_CAPITALS = re.compile(r"[\"'][A-Z][A-Z0-9_]+[\"']")


@dataclass(frozen=True, slots=True)
class Raised:
    """An error as the code makes it: its class, its reason, and whether it says when to try again."""

    kind: str
    reason: str
    has_retry: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the page: a reason, the status of its section, and whether another attempt may help."""

    status: str
    reason: str
    again: str


@cache
def nodes() -> tuple[ast.AST, ...]:
    """The syntax of all modules of the service that have a text in capitals, as reasons are."""
    texts = (file.read_text() for file in sorted(SERVICE.rglob("*.py")))
    modules = (ast.parse(text) for text in texts if IN_CAPITALS.search(text))
    return tuple(node for module in modules for node in ast.walk(module))


@cache
def raised() -> tuple[Raised, ...]:
    """The errors whose class and reason stand in one call, or in a subclass of its own."""
    return tuple(each for node in nodes() for each in _made(node))


@cache
def constants() -> frozenset[str]:
    """All texts in UPPER_SNAKE_CASE, of which the reasons are some."""
    return frozenset(
        node.value
        for node in nodes()
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.fullmatch(node.value)
    )


def listed(page: str) -> list[Listed]:
    """The rows of the section on errors."""
    rows: list[Listed] = []
    for section in page.partition("## Errors")[2].split("\n### ")[1:]:
        for cells in re.findall(r"^\| (`[^|]+) \| ([\w ]+) \|", section, flags=re.MULTILINE):
            status = section.partition("\n")[0]
            rows += [Listed(status, reason, cells[1]) for reason in re.findall(r"`([A-Z_]+)`", cells[0])]
    return rows


def _made(node: ast.AST) -> Iterator[Raised]:
    if isinstance(node, ast.Call) and (kind := _class_of(node.func)):
        yield from _of(kind, node, place=1 if _is_at(node.func) else 0)
    if isinstance(node, ast.ClassDef):
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in CLASSES]
        calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
        for call in calls:
            if bases and ast.unparse(call.func) == "super().__init__":
                yield from _of(bases[0], call, place=0)


def _of(kind: str, call: ast.Call, place: int) -> Iterator[Raised]:
    given = call.args[place] if len(call.args) > place else None
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        yield Raised(kind, given.value, any(each.arg == "retry_after" for each in call.keywords))


def _is_at(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "at"


def _class_of(function: ast.expr) -> str:
    """The class of errors that a call makes, as `Class(...)`, `errors.Class(...)` or `Class.at(...)`; empty if none."""
    if isinstance(function, ast.Attribute) and function.attr == "at":
        return _class_of(function.value)
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name if name in CLASSES else ""


def warnings_of(folder: Path) -> set[str]:
    """The codes of warnings that docs/models.md lists."""
    return set(re.findall(r"^\| `([A-Z_]+)` \|", (folder / "models.md").read_text(), flags=re.MULTILINE))
