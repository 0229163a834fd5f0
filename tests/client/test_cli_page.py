"""docs/cli.md: its commands print what the page shows, and its tables name every flag and exit code."""

from __future__ import annotations

import os
import re
import shlex
import sys
from contextlib import nullcontext

import click
import pytest
from click.testing import CliRunner
from client.page_outputs import CONSOLE, same_words, without_log
from sequela_client.cli.main import EXIT_CODES, main
from serving import Serving, embedded

from models.exported.page import ROOT
from scripts.marked_section import Section, outdated
from scripts.option_tables import WITH_TABLES, flag_table, mark_of

PAGE = (ROOT / "docs" / "cli.md").read_text()
COMMANDS = [found for found in CONSOLE.finditer(PAGE) if found["output"]]
FAST = (0, 2)
"""The demo and the list of models. The others are explanations, and take a server of their own or long."""
MODELS = ROOT / "service" / "sequela" / "demo" / "models"


@pytest.mark.parametrize(
    "number",
    [pytest.param(each, marks=() if each in FAST else pytest.mark.slow) for each in range(len(COMMANDS))],
)
def test_the_commands_print_what_the_page_shows(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 columns wide; numbers may differ in their last digits."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    command, output = COMMANDS[number].group("command", "output")
    with Serving(embedded(model_repository=MODELS)) as serving:
        # The demo would start a server of its own, with the same models.
        monkeypatch.setattr(
            "sequela_client.cli.demo.embedded_server", lambda _: nullcontext(serving.bound.grpc)
        )
        words = shlex.split(command.replace("localhost:50051", serving.bound.grpc))[1:]
        done = CliRunner().invoke(main, words, env={"COLUMNS": "100"})
    assert same_words(without_log(done.output), output), done.output


def test_every_command_has_a_section() -> None:
    """And one that is shown, with its output where it has any."""
    assert re.findall(r"^## `sequela ([\w-]+)`", PAGE, flags=re.MULTILINE) == sorted(main.commands)
    shown = {found["command"].split()[1] for found in CONSOLE.finditer(PAGE)}
    assert shown == set(main.commands)
    serve = next(found["command"] for found in CONSOLE.finditer(PAGE) if " serve " in found["command"])
    assert (ROOT / shlex.split(serve)[-1]).is_dir()


@pytest.mark.parametrize("name", WITH_TABLES)
def test_the_table_of_flags(name: str) -> None:
    """It is the one that `python -m scripts.option_tables` writes, with a row for every flag of the command."""
    assert outdated([Section("cli.md", mark_of(name), flag_table(name))]) == []
    first_cells = re.findall(r"^\| (`--[^|]*)", PAGE.split(mark_of(name))[1], flags=re.MULTILINE)
    in_table = [flag for cell in first_cells for flag in re.findall(r"--[a-z-]+", cell)]
    options = [each for each in main.commands[name].params if isinstance(each, click.Option)]
    assert in_table == [flag for each in options for flag in (*each.opts, *each.secondary_opts)]


def test_exit_codes() -> None:
    """0, click's own 2, and those of the client's errors."""
    codes = set(map(int, re.findall(r"^\| (\d) \|", PAGE, flags=re.MULTILINE)))
    assert codes == {0, 2, *EXIT_CODES.values()}


def test_links_lead_somewhere() -> None:
    """Files, and sections of this page."""
    for target, section in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
        assert not section or f"## `{section.replace('-', ' ', 1)}`" in PAGE
