"""docs/exporting.md and docs/assumptions.md: what they say is so. The code of the first needs other frameworks and runs
in tests/peers; here it is told apart, and the second page's code runs against a real server.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest
from exported_models import FOLDER
from sequela.adapters.model_io.schema_json import read_schema
from serving import Serving

from models.exported.page import PAGE, ROOT, program, snippets

ASSUMPTIONS = ROOT / "docs" / "assumptions.md"
PAGES = (PAGE, ASSUMPTIONS)
CHECKS = snippets(ASSUMPTIONS.read_text())


@pytest.mark.parametrize("name", CHECKS)
def test_the_checks_run(server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With a model that keeps to all assumptions, no check fails."""
    shutil.copy(FOLDER / "older-exporter" / "model.onnx", tmp_path)
    monkeypatch.chdir(tmp_path)
    code = program(CHECKS, name).replace("localhost:50051", server.bound.grpc)
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, f"assumptions.md: {name}", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_reasons_are_those_of_the_service(page: Path) -> None:
    """Every reason that a page names is one that errors, warnings or verdicts have."""
    code = "".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    reasons = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+|EXCEEDS|OFFSETTING)`", page.read_text()))
    assert reasons
    assert {reason for reason in reasons if reason not in code} <= {"KERAS_BACKEND"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files, and headings of this page and others."""
    for file, heading in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text()):
        target = page.parent / file if file else page
        assert target.exists(), file
        headings = [
            re.sub(r"[^\w -]", "", line.lstrip("# ")).replace(" ", "-").lower()
            for line in target.read_text().splitlines()
            if line.startswith("#")
        ]
        assert not heading or heading in headings, heading


def test_schemas_of_the_page_are_schemas() -> None:
    """Those in fences of their own, and those that the code writes, which lie beside the fixtures."""
    fenced = re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    written = [path.read_text() for path in FOLDER.glob("*/schema.json")]
    assert fenced
    assert len(written) >= 3
    for text in [*fenced, *written]:
        read_schema(text.encode(), "schema.json")


def test_code_without_a_name_is_noticed() -> None:
    """A fence that no comment names would be run by nobody."""
    with pytest.raises(ValueError, match="no comment"):
        snippets("```python\nprint()\n```\n")
