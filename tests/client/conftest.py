"""A scripted server that can fail and counts calls. What numbers mean is tested with the real server."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from client.command_runs import Run
from client.file_answers import Ask
from client.scripted import Script, serving
from matrix import BY_NAME
from sequela_client import Sequela
from sequela_client.cli.main import main
from waiting import PATIENCE

GRU = BY_NAME["gru"]


@pytest.fixture
def script() -> Script:
    """The script of the server, which records what it was sent."""
    return Script()


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    """The address of the scripted server."""
    with serving(script) as where:
        yield where


@pytest.fixture
def client(address: str) -> Iterator[Sequela]:
    """A blocking client of the scripted server."""
    with Sequela(address, timeout=PATIENCE) as sequela:
        yield sequela


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A file that the scripted server accepts as a model."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"onnx" * 1000)
    return path


@pytest.fixture
def run() -> Run:
    """Runs the command with these arguments, 100 columns wide."""
    return lambda *arguments: CliRunner().invoke(
        main, [str(each) for each in arguments], env={"COLUMNS": "100"}
    )


@pytest.fixture
def alert(tmp_path: Path) -> Path:
    """A file with a sequence of six events for the GRU, and information about the latest."""
    rows = GRU.sample(6)["events"].tolist()
    infos: list[dict[str, object]] = [{}] * 5 + [
        {"time": "2026-04-02T07:35:05Z", "display": {"f0": "4,210.00 EUR", "shop": "corner"}}
    ]
    path = tmp_path / "alert.json"
    path.write_text(json.dumps({"id": "alert-9", "inputs": rows, "events": infos}))
    return path


@pytest.fixture
def arguments(real: str, alert: Path, tmp_path: Path) -> list[object]:
    """All arguments to explain the alert on the real server."""
    np.save(tmp_path / "background.npy", GRU.average()["events"])
    return [
        *("explain", "--server", real, "--model", GRU.path, "--sequence", alert),
        *("--background", tmp_path / "background.npy"),
    ]


@pytest.fixture
def ask(run: Run, real: str) -> Ask:
    """Explains a file, with the answer as JSON."""
    return lambda model, file, *more: run(
        *("explain", "--server", real, "--model", model, "--sequence", file),
        *("--level", "event", "--pruning-tolerance", 0, "--json", "-", *more),
    )
