"""Bulk explanations on a cluster of Ray with two workers, against a local run. All of it is one program of Ray's
environment, since starting Ray takes long.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cohort import cohorts
from peers import engine_jobs
from sequela_client.cohort import schema

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(900)]

COUNT = 60


@pytest.fixture(scope="module")
def folder(real: str) -> Iterator[Path]:
    """The folder of the program, with the rows of a local run in `local`. Ray's sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="ray") as name:
        folder = Path(name)
        engine_jobs.write_inputs(folder, COUNT)
        cohorts.explained(folder / "rows.parquet", folder / "local", real, engine_jobs.rows_question(folder))
        engine_jobs.run("ray", Path(__file__).with_name("ray_job.py"), folder)
        yield folder


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    return engine_jobs.read_said(folder)


def test_the_rows_are_those_of_a_local_run(folder: Path, said: dict[str, Any]) -> None:
    """Bit for bit, though files were lost and an actor was killed; the files say the same about themselves."""
    engine_jobs.check_rows(folder, "ray", said, COUNT)
    (one, *_) = (folder / "local").glob("part-*")
    for part in (folder / "ray").glob("part-*"):
        assert engine_jobs.described(part) == engine_jobs.described(one)


def test_every_worker_has_a_server_and_none_is_left(folder: Path, said: dict[str, Any]) -> None:
    """Neither after the end nor after SIGKILL."""
    assert said["servers"] == 2
    assert said["killed"]
    engine_jobs.wait_for_no_server(folder)


def test_going_on(said: dict[str, Any]) -> None:
    """Only the rows that are not there are explained."""
    assert said["again"] == said["lost"] > 0
    assert said["nothing"] == 0


def test_any_dataset(folder: Path, said: dict[str, Any]) -> None:
    """The rows are the same but for their position, which Ray does not know."""
    table = pq.read_table(folder / "dataset.parquet")
    assert table.schema.equals(schema.SCHEMA)
    local = engine_jobs.by_key(cohorts.rows(folder / "local"))
    assert engine_jobs.by_key(table.to_pylist()) == [{**row, "row": -1} for row in local]
    assert said["tensors"] == [row["score"] for row in local[:6]]
    assert "1 ids are missing" in said["missing"]


@pytest.mark.parametrize("name", ["files", "ids", "variants", "not_written", "not_read"])
def test_checkpoints_that_ray_does_not_keep_are_errors(said: dict[str, Any], name: str) -> None:
    """Before anything is computed: no server was started."""
    assert said[name] == ["CHECKPOINTING_NOT_SUPPORTED", True]


def test_checkpoints_that_ray_keeps(said: dict[str, Any]) -> None:
    """The second run has nothing to do."""
    assert said["marked"] == 4


def test_no_statistics_are_sent(said: dict[str, Any]) -> None:
    """Ray says that they are off, and has written no report of them."""
    assert said["statistics"] is False
    assert said["sent"] == []


def test_the_script_of_the_page(folder: Path) -> None:
    """It has explained all sequences."""
    engine_jobs.check_script(folder, "ray-cohort", COUNT)
