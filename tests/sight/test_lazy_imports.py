"""OpenTelemetry is an extra, and its import takes long, so only the module that exports spans needs it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sequela

SERVICE = Path(sequela.__file__).parent
EXPORT = SERVICE / "adapters" / "span_export.py"


def imported(file: Path) -> Iterator[str]:
    """The names of the modules that are imported when a module is imported."""
    waiting: list[ast.AST] = [ast.parse(file.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def test_only_the_export_of_spans_imports_opentelemetry() -> None:
    """Nothing imports that module unless a function is called, so the server starts without the extra."""
    names = {file: list(imported(file)) for file in SERVICE.rglob("*.py")}
    assert [file for file in names if any("opentelemetry" in name for name in names[file])] == [EXPORT]
    assert [file for file in names if any("span_export" in name for name in names[file])] == []
