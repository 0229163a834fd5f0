"""What every process of ours leaves alone: the home folder, and modules in the current one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from matrix import BY_NAME
from waiting import PATIENCE, eventually

# Each test starts several processes, whose imports take long on a busy machine.
pytestmark = pytest.mark.timeout(600)

COMMAND = str(Path(sys.executable).with_name("sequela"))
MODULES = ("onnx", "onnxruntime", "redis", "numpy", "click", "grpc", "pydantic", "json", "socket", "asyncio")
GRU = BY_NAME["gru"]


class Place:
    """A current folder full of modules that must not be run, and a home folder that must stay empty."""

    def __init__(self, root: Path) -> None:
        self.current, self.home, scratch = root / "current", root / "home", root / "scratch"
        for folder in (self.current, self.home, scratch):
            folder.mkdir()
        for module in MODULES:
            text = f"open({str(root / 'run')!r}, 'a').write({module!r}); raise SystemExit({module!r})"
            (self.current / f"{module}.py").write_text(text)
        self._run = root / "run"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
        self.environment = {
            **kept,
            "PYTHONPATH": os.pathsep.join(each for each in sys.path if each),
            "HOME": str(self.home),
            "TMPDIR": str(scratch),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def check(self) -> None:
        """Nothing was run, nothing was written."""
        assert not self._run.exists(), self._run.read_text()
        assert [str(path) for path in self.home.rglob("*")] == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """New folders, without any variable that turns reports off."""
    return Place(tmp_path)


def finishes(place: Place, *command: str) -> str:
    """Standard output of a command that ends well."""
    done = subprocess.run(
        command,
        cwd=place.current,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def runs(place: Place, *command: str) -> Iterator[None]:
    """A server from when it is ready until it is asked to leave, which it does with 0."""
    ready, log = place.current / "ready.json", place.current / "log"
    ports = ("--ready-file", str(ready), "--port", "0", "--drain-delay", "0")
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, *ports], cwd=place.current, env=place.environment, stdout=output, stderr=output
        )
    try:
        eventually(lambda: ready.exists() or server.poll() is not None, PATIENCE)
        yield
    finally:
        server.terminate()
        code = server.wait(PATIENCE)
    assert code == 0, log.read_text()


@pytest.mark.slow
def test_explain(place: Place, tmp_path: Path) -> None:
    """The command and the server that it starts, which explains a model and keeps the answer."""
    rows, background = tmp_path / "rows.json", tmp_path / "background.npy"
    rows.write_text(json.dumps(GRU.sample(4)["events"].tolist()))
    np.save(background, GRU.average()["events"])
    asked = ("--model", GRU.path, "--sequence", rows, "--background", background, "--json", "-")
    assert json.loads(finishes(place, COMMAND, "explain", *map(str, asked)))["length"] == 4
    place.check()


@pytest.mark.slow
def test_kserve(place: Place) -> None:
    """KServe's explainer, whose place the server takes."""
    words = ("--model_name", "m", "--predictor_host", "127.0.0.1:1", "--http_port", "0")
    with runs(place, sys.executable, "-m", "sequela.kserve", *words):
        pass
    place.check()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [(COMMAND, "serve"), (sys.executable, "-m", "sequela")], ids=["command", "module"]
)
def test_serve(place: Place, command: tuple[str, ...]) -> None:
    """The server, by the command and as a module."""
    with runs(place, *command, "--http-port", "0"):
        pass
    place.check()


@pytest.mark.slow
def test_demo(place: Place) -> None:
    """The demo."""
    assert "In numbers" in finishes(place, COMMAND, "demo")
    place.check()


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, {"ORT_DISABLE_TELEMETRY": "0"}], ids=["unset", "0"])
def test_as_a_library(place: Place, given: dict[str, str]) -> None:
    """Whoever imports a part of the service; a variable that asks for reports changes nothing."""
    place.environment |= given
    finishes(place, sys.executable, "-P", "-c", "import sequela.adapters.onnx.session")
    place.check()
