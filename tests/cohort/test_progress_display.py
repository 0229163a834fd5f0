"""What explain_all shows of its progress by itself: a line in a notebook, a bar in a terminal, else nothing."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from sequela_client.cohort.progress_display import shown_in_session
from sequela_client.cohort.run import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Notebook:
    """IPython as a kernel has it. It keeps every text that is shown in the place of the one before."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.display = SimpleNamespace(display=self.show, Pretty=str)

    def get_ipython(self) -> Any:
        return SimpleNamespace(kernel=object())

    def show(self, text: str, display_id: bool) -> Notebook:
        assert display_id
        self.update(text)
        return self

    def update(self, text: str) -> None:
        self.texts.append(text)


def run() -> None:
    with shown_in_session() as show:
        show(Progress(20, 4))
        show(Progress(20, 4, 16, 1))


def test_without_anybody_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    run()
    assert "20/20" in terminal.getvalue()
    assert "1 failed" in terminal.getvalue()
    assert not capsys.readouterr().out


def test_in_a_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The last text says how it ended, however short the run was."""
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)  # type: ignore[arg-type]
    run()
    assert notebook.texts[0] == "explaining"
    assert notebook.texts[-1].startswith("20 of 20 rows, ")
    assert notebook.texts[-1].endswith("/s, 1 failed")
    assert capsys.readouterr() == ("", "")
