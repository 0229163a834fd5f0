"""docs/python.md: its code runs and prints what the page shows; its tables name what there is."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path

import pytest
import sequela_client
from client.page_outputs import same_words, without_log
from sequela_client import Explanation, Sequela
from sequela_client.options import OPTIONS
from serving import Serving, embedded

from models.exported.page import ROOT, program, snippets
from scripts.marked_section import Section, outdated
from scripts.option_tables import MARK, option_table

PAGE = (ROOT / "docs" / "python.md").read_text()
SNIPPETS = snippets(PAGE)
MODELS = ROOT / "service" / "sequela" / "demo" / "models"
SLOW = {"local", "html"}
"""Snippets that start another server or draw a page; test_local.py and test_pages.py do so in the fast tests."""
ALONE = {"reasons"}
"""The snippet that the fast tests run with no more than it needs before it. They also run the page as a whole."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=() if each in ALONE else pytest.mark.slow) for each in SNIPPETS],
)
def test_the_code_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a server started as the page says; what each piece prints is what the page shows."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # servers that the page starts
    snippet, scope = SNIPPETS[name], dict[str, object]()
    before = program(SNIPPETS, snippet.after) if snippet.after else ""
    printed = io.StringIO()
    with Serving(embedded(model_repository=MODELS)) as serving:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(before.replace("localhost:50051", serving.bound.grpc), scope)
        code = snippet.code.replace("localhost:50051", serving.bound.grpc)
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"python.md: {name}", "exec"), scope)
        sequela = scope["sequela"]
        assert isinstance(sequela, Sequela)
        sequela.close()
    shown = without_log(printed.getvalue())
    assert same_words(shown, snippet.output or ""), shown


def test_the_code_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may run the whole page in one session; no piece changes a name that a later one needs."""
    monkeypatch.chdir(ROOT)
    scope = dict[str, object]()
    with Serving(embedded(model_repository=MODELS)) as serving:
        for name in [each for each in SNIPPETS if each not in SLOW]:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(SNIPPETS[name].code.replace("localhost:50051", serving.bound.grpc), scope)
            shown = without_log(printed.getvalue())
            assert same_words(shown, SNIPPETS[name].output or ""), (name, shown)
        sequela = scope["sequela"]
        assert isinstance(sequela, Sequela)
        sequela.close()


def test_the_table_of_options() -> None:
    """It is the one that `python -m scripts.option_tables` writes, and has a row for every option."""
    assert outdated([Section("python.md", MARK, option_table())]) == []
    assert table("Option | Meaning | Default") == list(OPTIONS)


def table(head: str) -> list[str]:
    """The first cells of the table with this heading, without their code marks."""
    rows = PAGE.split(f"| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def test_errors_and_results_are_those_of_the_client() -> None:
    """Every class of errors, attribute and method that the page names exists; no class of errors is missing."""
    errors = {
        name
        for name in sequela_client.__all__
        if isinstance(found := getattr(sequela_client, name), type)
        and issubclass(found, Exception)
        and name != "SequelaError"
    }
    assert set(table("Class | Meaning")) == errors
    for name in table("Attribute | Meaning"):
        assert name in {*Explanation.__dataclass_fields__, *dir(Explanation)}, name
    for name in table("Method | Does"):
        assert callable(getattr(Sequela, name.split("(")[0])), name
    arguments = Sequela.__init__.__annotations__.keys() - {"return"}
    assert set(table("Argument of `Sequela` | Meaning")) == arguments


def test_links_lead_somewhere() -> None:
    """Files that the page points to are there."""
    for target in re.findall(r"\]\(([\w./-]+)\)", PAGE):
        assert (Path(ROOT / "docs") / target).exists(), target
