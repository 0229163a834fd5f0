"""Servers that a bulk explanation starts: one a core, replaced when they die, and gone when the process is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from cohort import cohorts
from sequela_client.cohort import BulkQuestion, explain_batches
from sequela_client.cohort.servers import local_pool
from waiting import eventually

# Two cores at most, whatever the machine has.
WORKERS = 2
SCRIPT = """
import sys
import numpy as np
import pyarrow.parquet as pq
from sequela_client.cohort import BulkQuestion, explain_batches
question = BulkQuestion(sys.argv[1], np.zeros(2), id="account", options={"levels": ["event"]})
for _ in range(int(sys.argv[3])):
    rows = sum(map(len, explain_batches(question, pq.read_table(sys.argv[2]).to_batches())))
    print(rows, flush=True)
"""


@pytest.fixture(autouse=True)
def the_tests_own_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def servers_of(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children(recursive=True) if _is_server(child)]


def _is_server(process: psutil.Process) -> bool:
    try:
        return "--ready-file" in process.cmdline()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return False


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_a_server_that_dies_is_replaced(rows_question: BulkQuestion) -> None:
    """Its sequences are explained again; the rows are those of an undisturbed run."""
    table, others = cohorts.nested(cohorts.accounts(200)), servers_of(os.getpid())
    with local_pool(WORKERS) as pool:
        whole = [
            row
            for batch in explain_batches(rows_question, table.to_batches(), servers=pool)
            for row in batch.to_pylist()
        ]
        servers = [each for each in servers_of(os.getpid()) if each not in others]
        cores = [tuple(server.cpu_affinity()) for server in servers]
        assert len(cores) == len(set(cores)) == min(WORKERS, len(os.sched_getaffinity(0)))
        found = []
        for batch in explain_batches(rows_question, table.to_batches(), servers=pool):
            if not found:
                servers[0].kill()
            found += batch.to_pylist()
        assert found == whole
    assert servers_of(os.getpid()) == others


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_servers_end_with_the_process(rows_question: BulkQuestion, tmp_path: Path, killed: bool) -> None:
    """They are started once for several calls, and none is left, not even after SIGKILL."""
    cohorts.nested(cohorts.accounts(40)).to_pandas().to_parquet(tmp_path / "rows.parquet")
    script = [sys.executable, "-c", SCRIPT, rows_question.model, str(tmp_path / "rows.parquet")]
    process = subprocess.Popen([*script, "1000" if killed else "2"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "40\n"
    servers = servers_of(process.pid)
    assert servers
    if killed:
        process.send_signal(signal.SIGKILL)
    else:
        assert process.stdout.readline() == "40\n"
    process.wait(60)
    process.stdout.close()
    eventually(lambda: all(map(_has_ended, servers)))


@pytest.mark.slow
def test_interrupting_the_command(rows_question: BulkQuestion, tmp_path: Path) -> None:
    """One line that says how to go on, exit code 130, and no server is left."""
    cohorts.accounts(3000).to_parquet(tmp_path / "events.parquet")
    command = [sys.executable, "-c", "from sequela_client.cli.main import main; main()", "explain-all"]
    command += [str(tmp_path / "events.parquet"), "--entity", "account", "--out", str(tmp_path / "out")]
    command += ["--model", rows_question.model, "--part-rows", "20", "--level", "event"]
    schema = Path(rows_question.model).with_name("schema.json")
    schema.write_text(schema.read_text()[:-1] + ', "background": {"x": [0, 0]}}')
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 60
    while not list((tmp_path / "out").glob("part-*")):
        assert time.monotonic() < give_up
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    servers = servers_of(process.pid)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert said.strip().splitlines()[-1].endswith("run the same command again to continue.")
    assert "Traceback" not in said
    assert process.returncode == 130
    eventually(lambda: all(map(_has_ended, servers)))
