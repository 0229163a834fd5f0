"""docs/models.md: its example prints what it says, and it lists every warning."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

from documents import ROOT, fences
from serving import PATIENCE, Serving, embedded

PAGE = (ROOT / "docs" / "models.md").read_text()


def test_the_example_prints_what_the_page_says() -> None:
    """Against a server with the demo's model."""
    (example,) = fences(PAGE, "python")
    models = ROOT / "service" / "sequela" / "demo" / "models"
    with Serving(embedded(model_repository=models)) as serving:
        code = example.replace("localhost:50051", serving.bound.grpc)
        printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True, timeout=PATIENCE)
    assert printed.splitlines() == re.findall(r"^print\(.*\)  # (.+)$", example, flags=re.MULTILINE)


def test_every_warning_is_listed() -> None:
    """The reasons of all warnings in the code are the page's, each once."""
    listed = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, flags=re.MULTILINE)
    assert sorted(listed) == sorted(_reasons())


def _reasons() -> set[str]:
    """Returns the constant first arguments of `ExplanationWarning(...)` in the service."""
    calls = (
        node
        for file in (ROOT / "service" / "sequela").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    return {
        argument.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "ExplanationWarning"
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
