"""Run by test_ray.py in Ray's environment: a cluster of two workers, on the folder that the command line names."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from peers import engine_jobs
from ray.data import DataContext
from ray.data.checkpoint import CheckpointConfig
from sequela_client import CallerError
from sequela_client.cohort import Cohort
from sequela_client.cohort.ray import explain_dataset, explain_files

FOLDER = Path(sys.argv[1])
QUESTION = engine_jobs.rows_question(FOLDER)
TWO = {"concurrency": 2, "num_cpus": 0.5}
SAID: dict[str, Any] = {}


def files() -> None:
    """Two actors, each with a server of its own."""
    most = 0

    def watch() -> None:
        nonlocal most
        while not finished.is_set():
            most = max(most, len(engine_jobs.servers(FOLDER)))
            time.sleep(0.2)

    finished = threading.Event()
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        done = explain_files(FOLDER / "rows.parquet", FOLDER / "ray", QUESTION, part_rows=10, **TWO)
    finally:
        finished.set()
        watching.join()
    SAID["servers"], SAID["added"], SAID["cohort"] = most, done.added, len(Cohort.open(FOLDER / "ray"))


def going_on() -> None:
    """One file is gone; an actor is killed meanwhile."""
    lost = sorted((FOLDER / "ray").glob("part-*"))[:3]
    SAID["lost"] = sum(pq.read_metadata(path).num_rows for path in lost)
    for path in lost:
        path.unlink()
    killer = threading.Thread(target=kill_one)
    killer.start()
    SAID["again"] = explain_files(
        FOLDER / "rows.parquet", FOLDER / "ray", QUESTION, part_rows=10, **TWO
    ).added
    killer.join()
    SAID["nothing"] = explain_files(FOLDER / "rows.parquet", FOLDER / "ray", QUESTION, **TWO).added


def kill_one() -> None:
    """Kills an actor once its server runs."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        for server in engine_jobs.servers(FOLDER):
            parent = server.parent()
            if parent is not None and parent.pid != os.getpid() and "MapWorker" in " ".join(parent.cmdline()):
                parent.kill()
                SAID["killed"] = True
                return
        time.sleep(0.02)


def datasets() -> None:
    """Any dataset; arrays of numpy are lists to us; a block without rows has the schema."""
    dataset = ray.data.read_parquet(str(FOLDER / "rows.parquet"))
    found = explain_dataset(QUESTION, dataset, **TWO).iter_batches(batch_format="pyarrow", batch_size=None)
    pq.write_table(pa.concat_tables(found), FOLDER / "dataset.parquet")
    few = pq.read_table(FOLDER / "rows.parquet").slice(0, 3).to_pandas()
    tensors = explain_dataset(QUESTION, ray.data.from_pandas(few), **TWO)
    SAID["tensors"] = [row["score"] for row in tensors.take_all()]
    # ids that are missing have no name where rows have no position
    few.loc[1, "account"] = None
    try:
        explain_dataset(QUESTION, ray.data.from_pandas(few), **TWO).take_all()
    except Exception as error:
        SAID["missing"] = str(error)


def checkpoints() -> None:
    """Where Ray would switch its checkpoints off, nothing is computed."""
    plain = replace(QUESTION, id="id", seeds=())
    renamed = FOLDER / "renamed.parquet"
    table = pq.read_table(FOLDER / "rows.parquet").slice(0, 4)
    pq.write_table(table.rename_columns({"account": "id"}), renamed)
    context = DataContext.get_current()
    context.checkpoint_config = CheckpointConfig(
        id_column="id", checkpoint_path=str(FOLDER / "marks"), delete_checkpoint_on_success=False
    )
    out = str(FOLDER / "marked")
    refused = {
        "files": lambda: explain_files(renamed, FOLDER / "no", plain),
        "ids": lambda: explain_dataset(QUESTION, ray.data.read_parquet(str(renamed))),
        "variants": lambda: explain_dataset(
            replace(plain, seeds=(0, 1)), ray.data.read_parquet(str(renamed))
        ),
        "not_written": lambda: explain_dataset(plain, ray.data.read_parquet(str(renamed))).take_all(),
        "not_read": lambda: explain_dataset(plain, ray.data.from_arrow(pq.read_table(renamed))).write_parquet(
            out
        ),
    }
    # Ray keeps the actors of the task that failed before, and with them servers, of which one may still be starting.
    before: set[int] = set()
    while before != (now := {server.pid for server in engine_jobs.servers(FOLDER)}) or not before:
        before = now
        time.sleep(5)
    for name, call in refused.items():
        try:
            call()
            SAID[name] = "went on"
        except CallerError as error:
            SAID[name] = [error.reason, {server.pid for server in engine_jobs.servers(FOLDER)} <= before]
    explain_dataset(plain, ray.data.read_parquet(str(renamed)), **TWO).write_parquet(out)
    explain_dataset(plain, ray.data.read_parquet(str(renamed)), **TWO).write_parquet(out)
    SAID["marked"] = pq.read_table(out).num_rows
    context.checkpoint_config = None


def main() -> None:
    from ray._common.usage import usage_lib  # noqa: PLC0415 Ray's own answer

    ray.init(
        num_cpus=4,
        include_dashboard=False,
        _temp_dir=str(FOLDER / "t"),
        object_store_memory=100 << 20,
        log_to_driver=False,
    )
    SAID["statistics"] = usage_lib.usage_stats_enabled()
    for step in (files, going_on, datasets, checkpoints):
        step()
    exec(engine_jobs.script("On Ray", FOLDER), {})
    ray.shutdown()
    SAID["sent"] = sorted(str(path) for path in (FOLDER / "t").rglob("usage_stats.json"))
    (FOLDER / "said.json").write_text(json.dumps(SAID))


if __name__ == "__main__":
    main()
