"""docs/models.md: its example prints what it says, and it lists every warning."""

from __future__ import annotations

import ast
import re

from documents import ROOT, fences, printed_by
from serving import Serving, embedded

PAGE = (ROOT / "docs" / "models.md").read_text()


def test_the_example_prints_what_the_page_says() -> None:
    """Against a server with the demo's model."""
    (example,) = fences(PAGE, "python")
    models = ROOT / "service" / "sequela" / "demo" / "models"
    with Serving(embedded(model_repository=models)) as serving:
        printed = printed_by(example.replace("localhost:50051", serving.bound.grpc))
    assert printed.splitlines() == re.findall(r"^print\(.*\)  # (.+)$", example, flags=re.MULTILINE)


def test_every_warning_is_listed() -> None:
    """The reasons of all warnings in the code are the page's, each once."""
    listed = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, flags=re.MULTILINE)
    assert sorted(listed) == sorted(_reasons())


def _reasons() -> set[str]:
    """Returns the constant first arguments of `ExplanationWarning(...)` in the service."""
    texts = (file.read_text() for file in (ROOT / "service" / "sequela").rglob("*.py"))
    calls = (
        node
        for text in texts
        if "ExplanationWarning(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    return {
        argument.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "ExplanationWarning"
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }
