"""Bulk explanations on a cluster of Spark with two workers, against a local run. All of it is one program of Spark's
environment, since starting Spark takes long.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cohort import cohorts
from peers import engine_jobs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.peers,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17"),
]

COUNT = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, real: str) -> Path:
    """The folder of the program, with the rows of a local run in `local`."""
    folder = tmp_path_factory.mktemp("spark")
    engine_jobs.write_inputs(folder, COUNT)
    cohorts.explained(folder / "events.parquet", folder / "local", real, engine_jobs.events_question(folder))
    engine_jobs.run("spark", Path(__file__).with_name("spark_job.py"), folder)
    return folder


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    return engine_jobs.read_said(folder)


def test_the_rows_are_those_of_a_local_run(folder: Path, said: dict[str, Any]) -> None:
    """Bit for bit, though files were lost and a worker was killed; the files say the same about themselves."""
    engine_jobs.check_rows(folder, "spark", said, COUNT)
    (one, *_) = (folder / "local").glob("part-*")
    for part in (folder / "spark").glob("part-*"):
        assert pq.read_schema(part).equals(pq.read_schema(one), check_metadata=True)


def test_every_worker_has_a_server_and_none_is_left(folder: Path, said: dict[str, Any]) -> None:
    """Neither after the end nor after SIGKILL."""
    assert said["killed"]
    assert 1 <= said["servers"] <= 2
    engine_jobs.wait_for_no_server(folder)


def test_going_on(said: dict[str, Any]) -> None:
    """Only the rows that are not there are explained."""
    assert said["again"] == said["lost"] > 0


def test_sequences_as_rows(folder: Path, said: dict[str, Any]) -> None:
    """One row for each sequence gives the same rows as its events; ids may not repeat."""
    local = engine_jobs.by_key(cohorts.rows(folder / "local"))
    assert engine_jobs.by_key(pq.read_table(folder / "frame.parquet").to_pylist()) == local
    assert "the id is missing or repeated: a0" in said["repeated"]


def test_rows_without_order(said: dict[str, Any]) -> None:
    """Events need times, and sequences ids."""
    assert said["time"].startswith("time: ")
    assert said["id"].startswith("id: ")


def test_the_script_of_the_page(folder: Path) -> None:
    """It has explained all sequences."""
    engine_jobs.check_script(folder, "spark-cohort", COUNT)
