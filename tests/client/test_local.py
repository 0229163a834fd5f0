"""`Sequela.local`: a server for one session. It ends with its client, and with the process that started it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from matrix import BY_NAME
from sequela_client import AsyncSequela, CallerError, DeadlineExceeded, OperatorError, Sequela, TryAgain
from waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "service" / "sequela" / "demo" / "models"
GRU = BY_NAME["gru"]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers and other processes find the packages of this checkout."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def process_of(client: Sequela | AsyncSequela) -> subprocess.Popen[bytes]:
    """The server's process, which callers do not see."""
    assert client._server is not None
    return client._server.process


def runs(pid: int) -> bool:
    """Whether a process exists and is not only waiting to be collected by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def program(code: str) -> subprocess.Popen[str]:
    """Another Python that has started a server as its variable `s`; its first line of output is the server's pid."""
    start = (
        "from sequela_client import Sequela\ns = Sequela.local()\nprint(s._server.process.pid, flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )


def pid_from(running: subprocess.Popen[str]) -> int:
    assert running.stdout
    return int(running.stdout.readline())


def test_it_answers_quietly_and_stops_with_the_client(capfd: pytest.CaptureFixture[str]) -> None:
    """With the models of a folder and with files; nothing is printed; afterwards the server and its files are gone."""
    with Sequela.local(model_repository=MODELS, workers=1, max_events=50) as sequela:
        server, folder = process_of(sequela), Path(sequela._server.folder.name)  # type: ignore[union-attr]
        assert [model.name for model in sequela.models()] == ["models/account_takeover/versions/1"]
        answer = sequela.explain(GRU.sample(5), model=GRU.path, background=GRU.average(), levels=["event"])
        assert answer.length == 5
        with pytest.raises(CallerError, match="50"):  # the setting counts
            sequela.explain(GRU.sample(51), model=GRU.path, background=GRU.average())
    assert server.returncode == 0
    assert not folder.exists()
    assert capfd.readouterr() == ("", "")
    with pytest.raises(CallerError, match="closed"):
        list(sequela.models())


@pytest.mark.slow
def test_asyncio() -> None:
    """The same, awaited."""

    async def ask() -> subprocess.Popen[bytes]:
        async with await AsyncSequela.local(model_repository=MODELS) as sequela:
            assert (await sequela.get_model("account_takeover")).state == "ready"
            return process_of(sequela)

    assert asyncio.run(ask()).returncode == 0


@pytest.mark.slow
def test_a_forgotten_client_takes_its_server_along() -> None:
    """As in a notebook, where a cell that is run again replaces the variable."""
    sequela = Sequela.local()
    server = process_of(sequela)
    del sequela
    gc.collect()
    assert server.returncode == 0


@pytest.mark.slow
def test_it_ends_with_the_interpreter() -> None:
    """Without `with` and without `close`."""
    with program("") as running:
        server = pid_from(running)
        assert running.wait(PATIENCE) == 0
    assert not runs(server)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to see processes in")
def test_it_ends_when_its_parent_is_killed() -> None:
    """Nothing of the parent runs any more, and the server notices by itself."""
    with program("import time; time.sleep(1000)") as running:
        server = pid_from(running)
        assert runs(server)
        running.send_signal(signal.SIGKILL)
        running.wait(PATIENCE)
    eventually(lambda: not runs(server), PATIENCE)


@pytest.mark.slow
def test_an_interrupt_of_a_cell_does_not_stop_it() -> None:
    """A notebook sends SIGINT to the whole group of the kernel."""
    code = """
    import os, signal
    try:
        os.killpg(0, signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt:
        print(list(s.models()), flush=True)
    """
    start = "import os; os.setpgrp()\nfrom sequela_client import Sequela\ns = Sequela.local()\n"
    done = subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(code)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.slow
def test_a_fork_leaves_it_alone() -> None:
    """A copy of the process that exits does not stop the server of the original."""
    code = """
    import os, sys
    child = os.fork()
    if child == 0:
        s._server.stop()
        os._exit(0)
    os.waitpid(child, 0)
    print(list(s.models()))
    """
    with program(code) as running:
        pid_from(running)
        assert running.communicate(timeout=PATIENCE)[0].strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_evnts": 5}, "--max-evnts"),
        ({"workers": 0}, "--workers"),
        ({"model_repository": "nowhere/models"}, "nowhere/models: No such file or directory"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], said: str) -> None:
    """In the error itself; nobody has to look for a log."""
    with pytest.raises(OperatorError, match=said) as refused:
        Sequela.local(**settings)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)
    assert '"event"' not in str(refused.value)


@pytest.mark.slow
def test_a_start_that_takes_too_long() -> None:
    """The error says so, and no server is left."""
    with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
        Sequela.local(start_timeout=0.05)


@pytest.mark.slow
def test_without_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CallerError, match=r"pip install '\.\[service\]'"):
        Sequela.local()


@pytest.mark.slow
def test_switches_and_unset_settings() -> None:
    """False turns a switch off, None leaves the default."""
    with (
        Sequela.local(uploads=False, workers=None) as sequela,
        pytest.raises((OperatorError, CallerError)) as refused,
    ):
        sequela.explain(GRU.sample(3), model=GRU.path, background=GRU.average())
    assert not isinstance(refused.value, TryAgain)
    assert "upload" in str(refused.value).lower()
    assert np.isfinite(sequela._timeout or 0.0)
