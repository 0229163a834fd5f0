"""`--trace` and `--execution` of the command: for the server that it starts, and refused for any other."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from client.command_runs import Run
from matrix import BY_NAME

GRU = BY_NAME["gru"]


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        (("--trace", "traces"), "--trace-dir DIR (SEQUELA_TRACE_DIR)"),
        (("--execution", "whole"), "--execution (SEQUELA_EXECUTION)"),
    ],
)
def test_a_running_server_is_its_operators(
    run: Run, alert: Path, given: tuple[str, str], setting: str
) -> None:
    """The message says which option cannot be used with --server, and what the operator can set instead."""
    done = run("explain", "--server", "localhost:1", "--model", "m", "--sequence", alert, *given)
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert f"{given[0]} cannot be used with --server" in said
    assert f"operator can start the server with {setting}" in said


def test_other_executions_are_not_known(run: Run, alert: Path) -> None:
    """The two are named."""
    done = run("explain", "--model", "m", "--sequence", alert, "--execution", "halves")
    assert done.exit_code == 2
    assert "'whole', 'states'" in done.stderr


@pytest.mark.slow
def test_records_and_runs_as_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is named on standard error, so that what is printed stays JSON."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    np.save("alert.npy", GRU.sample(5)["events"])
    np.save("average.npy", GRU.average()["events"])
    files = ("--model", GRU.path, "--sequence", "alert.npy", "--background", "average.npy")
    done = run("explain", *files, "--trace", "traces", "--execution", "whole", "--json", "-")
    assert done.exit_code == 0, done.output
    (folder,) = Path("traces").iterdir()
    assert f"Note: the trace is in {folder}\n" in done.stderr
    facts = json.loads((folder / "explanation.json").read_text())
    assert (facts["execution"], facts["explanation"]) == ("whole", json.loads(done.stdout)["name"])


@pytest.mark.slow
def test_an_execution_that_the_model_lacks(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says why."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    case = BY_NAME["transformer"]
    np.save(tmp_path / "alert.npy", case.sample(5)["events"])
    np.save(tmp_path / "average.npy", case.average()["events"])
    files = ("--sequence", tmp_path / "alert.npy", "--background", tmp_path / "average.npy")
    done = run("explain", "--model", case.path, *files, "--execution", "states")
    assert done.exit_code == 1
    assert "cannot be run with execution states" in done.stderr
