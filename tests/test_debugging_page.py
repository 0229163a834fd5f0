"""docs/debugging.md: its commands and code find planted faults, and its tables say what a trace holds."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from asking import explainer, loaded, question
from click.testing import CliRunner
from faulty_server import FAULTS
from matrix import BY_NAME
from sequela.adapters.trace_files.tracer import FileTracer
from sequela.concurrency.deadline import Deadline
from sequela.explain.diagnostics import Diagnostics
from sequela_client import local_server
from sequela_client.cli.main import main
from trace_reader import Trace, traces

from models.exported.page import ROOT, program, snippets

PAGE = (ROOT / "docs" / "debugging.md").read_text()
CODE = snippets(PAGE)
RECORD, FIND, AGAIN = re.findall(r"```console\n\$ (sequela [^\n]*)\n```", PAGE)
SHOWN = re.findall(r"```text\n(.*?)\n```", PAGE, flags=re.DOTALL)
GRU = BY_NAME["gru"]
FLOAT_NOISE = 1e-6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the page's commands name, in the current folder."""
    shutil.copy(GRU.path, tmp_path / "model.onnx")
    np.save(tmp_path / "alert.npy", GRU.sample(7)["events"])
    np.save(tmp_path / "average.npy", GRU.average()["events"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    return tmp_path


def plant(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """From here on the command starts a server with this fault, which loads the model itself."""

    def command(arguments: list[str]) -> list[str]:
        faulty = [sys.executable, str(ROOT / "tests" / "faulty_server.py"), fault]
        return [*faulty, *arguments, "--upload-engines", "0"]

    monkeypatch.setattr(local_server, "server_command", command)


def run(command: str) -> str:
    """What a command of the page prints."""
    done = CliRunner().invoke(main, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    return done.output


def execute(name: str) -> str:
    """What a piece of the page's code prints, with all that it goes on from."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program(CODE, name), f"debugging.md: {name}", "exec"), {})
    return printed.getvalue()


def differences(text: str) -> list[float]:
    """The numbers that the checks print."""
    return [float(found) for found in re.findall(r"by (\d\S*e[+-]\d+)", text)]


def values_differ() -> bool:
    return max(differences(execute("values"))) > FLOAT_NOISE


def attributions_differ() -> bool:
    return max(differences(execute("attributions"))) > FLOAT_NOISE


def players_differ() -> bool:
    return "belong to" in execute("players")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_the_table_names_the_part_that_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Row by row, for a fault in each part; and nothing differs without one."""
    plant(monkeypatch, fault)
    found = []
    for execution in ("whole", "states"):
        run(f"{RECORD} --execution {execution} --max-coalitions 4096 --top-k-events 1 --top-k-features 2")
        found.append(values_differ())
    found += [attributions_differ(), players_differ()]
    assert row(found).startswith("Nothing" if fault == "none" else fault.capitalize()[:6]), found
    assert len(traces(folder / "traces")) == 2


def row(differ: list[bool]) -> str:
    """What the page's table says is wrong."""
    table = PAGE.split("### What the checks say")[1].split("## An example")[0]
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "agree" in line
    ]
    checks = [[not cell.startswith("agree") for cell in cells[:4]] for cells in rows]
    matching = [cells[4] for cells, check in zip(rows, checks, strict=True) if check == differ]
    assert matching, differ
    return matching[-1].replace("The layout", "Layout").replace("The rewriting", "Rewriting")


@pytest.mark.slow
def test_the_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault is found by the page's own commands and code, which print what it shows."""
    plant(monkeypatch, "rewriting")
    report = run(FIND)
    assert "exact" in report
    assert "Note: the trace is in traces/" in report
    (trace,) = traces(folder / "traces")
    assert trace.facts["execution"] == "states"
    values, attributions, whole = SHOWN
    assert alike(execute("values"), values)
    assert values_differ()
    assert alike(execute("attributions"), attributions)
    where = execute("where").splitlines()
    assert [line for line in where if "t=0" not in line]
    latest = next(line for line in where if "t=0" in line)
    present, absent = map(float, re.findall(r"(\d\.\d+) if", latest))
    assert max(present, absent) > 1.5 * min(present, absent)
    run(AGAIN)
    assert alike(execute("values"), whole)
    assert not values_differ()
    assert {each.facts["execution"] for each in traces(folder / "traces")} == {"states", "whole"}


def alike(printed: str, shown: str) -> bool:
    """The same words; the numbers of the same size, or noise."""
    number = r"\d\.\de[+-]\d\d"
    sizes = zip(re.findall(number, printed), re.findall(number, shown), strict=True)
    return re.sub(number, "#", printed).strip() == re.sub(number, "#", shown).strip() and all(
        max(map(float, pair)) < FLOAT_NOISE or pair[0][-3:] == pair[1][-3:] for pair in sizes
    )


def test_the_page_names_every_file_and_key(folder: Path) -> None:
    """Of the trace of an explanation without a fault, whose checks all agree."""
    model = loaded(GRU)
    tracer = FileTracer(folder / "traces", 1 << 26)
    asked = question(model, GRU.sample(5), GRU.average(), pruning_tolerance=0.003, top_k_events=1)
    explainer(model, diagnostics=Diagnostics(tracer)).explain(asked, Deadline())
    tracer.close()
    (trace,) = traces(folder / "traces")
    said = set(re.findall(r"`([\w.]+)`", PAGE.split("## Files of a trace")[1]))
    assert set(trace.facts) <= said
    assert names_in(trace) <= said
    assert not values_differ()
    assert not attributions_differ()
    assert not players_differ()


def names_in(trace: Trace) -> set[str]:
    """Files, with those of the event level for all levels; and the columns and arrays in them."""
    (event,) = [game for game in trace.games if game.facts["level"] == "event"]
    arrays = {re.sub(r"_\d$", "_k", name) for name in (*event.arrays, *trace.inputs)}
    columns = {*event.players[0], *event.stages[0]} - {"player"}
    levels = r"^(feature|cell)(_|\.)"
    return {re.sub(levels, r"event\2", path.name) for path in trace.folder.iterdir()} | arrays | columns


def test_paths_and_links_lead_somewhere() -> None:
    """Modules of the table are in the service, pages and sections are there."""
    for path in re.findall(r"`((?:adapters|explain|timeshap|api)/[\w/.]*)`", PAGE):
        assert (ROOT / "service" / "sequela" / path).exists(), path
    for file, heading in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", PAGE):
        target = ROOT / "docs" / file if file else ROOT / "docs" / "debugging.md"
        headings = [
            re.sub(r"[^\w -]", "", line.lstrip("# ")).replace(" ", "-").lower()
            for line in target.read_text().splitlines()
            if line.startswith("#")
        ]
        assert not heading or heading in headings, heading
