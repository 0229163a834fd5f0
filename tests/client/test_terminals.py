"""The command on terminals and machines of all kinds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from client.command_runs import Run
from matrix import BY_NAME
from sequela_client.cli.main import main

COMMAND = Path(sys.executable).with_name("sequela")
GRU = BY_NAME["gru"]


@pytest.mark.slow
def test_a_terminal_of_ascii_alone(arguments: list[object]) -> None:
    """As by LANG=C on old systems: what the encoding lacks is written plainly, and the JSON is the same."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    words = [str(each) for each in (COMMAND, *arguments, "--max-coalitions", 128, "--pruning-tolerance", 0)]
    done = subprocess.run(words, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = done.stdout.decode("ascii")
    assert "model 5accadd006fe... version 1" in told
    assert "alert alert-9" in told
    done = subprocess.run(
        [*words, "--json", "-"], capture_output=True, env=environment, timeout=60, check=True
    )
    assert json.loads(done.stdout)["caller_id"] == "alert-9"


def test_a_terminal_of_no_width(arguments: list[object]) -> None:
    """Some say that they are 0 columns wide: all is drawn, as on one of 80."""
    words = [str(each) for each in arguments]
    drawn = [CliRunner().invoke(main, words, env={"COLUMNS": columns}).stdout for columns in ("0", "80")]
    assert "Events" in drawn[0]
    assert drawn[0] == drawn[1]


def test_nowhere_to_write(run: Run, alert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of one's own needs a folder for its log: the way out is said."""

    def full(*_: object) -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", full)
    done = run("explain", "--model", GRU.path, "--sequence", alert)
    assert done.exit_code == 4
    assert "set TMPDIR to a folder" in done.stderr
    assert done.stderr.count("\n") == 1
