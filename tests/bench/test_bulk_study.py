"""The pieces of the study of bulk explanation: accounts as a file, memory, agreement, the killed run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pyarrow.parquet as pq
import pytest
from cohort import cohorts
from sequela_client import Sequela
from sequela_client.cohort import explain_all

from benchmarks.bulk import memory_watch
from benchmarks.bulk.agreement import Agreement, agreement
from benchmarks.bulk.killed_run import KilledRow, digests, kill_and_resume
from benchmarks.bulk.memory_watch import MemoryWatch, watched_memory
from benchmarks.bulk.question import OPTIONS, question, run_options
from benchmarks.bulk.simulated import MODEL, alerts, inputs, matrix, write_accounts
from benchmarks.bulk.tables import Row, agreement_table, killed_run, ways
from benchmarks.peers.jobs import CohortResult

COUNT = 4


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_accounts(tmp_path_factory.mktemp("bulk") / "accounts.parquet", COUNT)


def test_the_file_has_the_alerts(source: Path) -> None:
    """One row for each account with a positive prediction, and the model's columns in lists."""
    rows = pq.read_table(source).to_pylist()
    drawn = list(alerts(COUNT))
    session = ort.InferenceSession(MODEL / "model.onnx")
    for row, account in zip(rows, drawn, strict=True):
        assert row["account"] == account.id
        assert row["outcome"] == ("takeover" if account.takeover else "genuine")
        lists = [values for name, values in row.items() if name not in ("account", "outcome")]
        np.testing.assert_array_equal(np.array(lists).T, matrix(account))
        given = {name: values[np.newaxis] for name, values in inputs(account).items()}
        assert np.ravel(session.run(None, given)[0])[0] >= 0.5


@pytest.mark.slow
def test_bulk_rows_are_those_of_the_client(source: Path, real: str, tmp_path: Path) -> None:
    """The question about the file is the one that a loop asks; agreement compares cuts, t = 0 and the features."""
    cohorts.explained(source, tmp_path / "cohort", real, question())
    with Sequela(real) as sequela:
        answers = [
            sequela.explain(inputs(each), model=MODEL / "model.onnx", **OPTIONS) for each in alerts(COUNT)
        ]
    cuts = np.array([each.pruning.pruned_events for each in answers])
    latest = np.array([each.events[0].value for each in answers])
    features = np.array([[item.value for item in each.features.values()] for each in answers])
    same = agreement(tmp_path / "cohort", CohortResult(1.0, cuts, latest, features))
    assert (same.sequences, same.same_cuts, same.exact) == (COUNT, COUNT, COUNT)
    assert (same.latest, same.features) == (0, 0)
    other = CohortResult(
        1.0, cuts + np.array([0, 0, 0, 1]), latest + np.array([0.5, 0.25, 0, 9]), features + 0.1
    )
    apart = agreement(tmp_path / "cohort", other)
    assert (apart.same_cuts, apart.exact) == (COUNT - 1, COUNT - 1)
    assert (apart.latest, apart.features) == pytest.approx((0.5, 0.1))


def test_a_file_has_ten_parts_or_more() -> None:
    assert [run_options(count).part_rows for count in (10, 95, 10_000, 100_000)] == [1, 10, 1000, 1000]


def test_memory_of_children_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child with 100 MB, which ends before the last quarter."""
    monkeypatch.setattr(memory_watch, "EVERY_SECONDS", 0.1)
    program = "import sys; x = b'1' * 100_000_000; print(flush=True); sys.stdin.read()"
    with watched_memory() as watch:
        before = watch.readings[0] if watch.readings else 0.0
        with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as child:
            assert child.stdout is not None
            child.stdout.readline()
            count = len(watch.readings)
            while len(watch.readings) < count + 2:
                time.sleep(0.01)
    assert max(watch.readings) > before + 90
    assert MemoryWatch([1, 1, 2, 4, 5, 5, 7, 9]).quarters == (3, 8)


def test_the_tables() -> None:
    """Rates are over the time after the start; what is not known stays empty."""
    rows = [Row("explain_all", 100, 4.0, 2.0, 512.0, (500.0, 501.0)), Row("timeshap", 5, 10.0)]
    assert [row.rate for row in rows] == [25, 0.5]
    cells = [list(column.cells) for column in ways(rows).columns]
    assert cells[3] == ["1.0×", "50.0×"]
    assert cells[-1] == ["501", ""]
    row = KilledRow(100, 55, 50, 10.0, 6.0, 7.0, True)
    assert row.seconds_lost == pytest.approx(3)
    assert [list(column.cells) for column in killed_run(row).columns][-1] == ["yes"]
    found = Agreement(20, 20, 19, 1e-16, 0.01)
    assert [list(column.cells) for column in agreement_table(found).columns][3] == ["1e-16"]


@pytest.mark.slow
def test_a_killed_run_is_resumed(source: Path, tmp_path: Path) -> None:
    """The files are the undisturbed run's, and a changed file is seen."""
    explain_all(source, tmp_path / "whole", question(), run_options(COUNT))
    row = kill_and_resume(source, tmp_path / "whole", 1.0, tmp_path / "killed")
    assert row.equal
    assert row.kept <= row.done <= row.sequences == COUNT
    first = next((tmp_path / "killed").glob("part-*.parquet"))
    first.write_bytes(first.read_bytes() + b"0")
    assert digests(tmp_path / "killed") != digests(tmp_path / "whole")
