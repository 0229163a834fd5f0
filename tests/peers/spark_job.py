"""Run by test_spark.py in Spark's environment: a cluster of two workers, on the folder that the command line names."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from peers import engine_jobs
from pyspark.sql import SparkSession
from sequela_client import CallerError
from sequela_client.cohort import Cohort
from sequela_client.cohort.spark import explain_frame, explain_into

FOLDER = Path(sys.argv[1])
EVENTS, ROWS = engine_jobs.events_question(FOLDER), engine_jobs.rows_question(FOLDER)
SAID: dict[str, Any] = {}


def session() -> SparkSession:
    """Two executors in processes of their own. Java starts faster without its second compiler."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.executor.memory": "512m",
        "spark.local.dir": str(FOLDER / "t"),
        "spark.sql.warehouse.dir": str(FOLDER / "t"),
        # Not ours: times do not depend on it.
        "spark.sql.session.timeZone": "Asia/Tokyo",
        "spark.sql.shuffle.partitions": "2",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master("local-cluster[2,1,1024]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def kill_one() -> None:
    """Kills a Python worker once its server runs."""
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        for server in engine_jobs.servers(FOLDER):
            parent = server.parent()
            if parent is not None and parent.pid != os.getpid() and "pyspark" in " ".join(parent.cmdline()):
                parent.kill()
                SAID["killed"] = True
                return
        time.sleep(0.02)


def main() -> None:
    spark = session()
    events = spark.read.parquet(str(FOLDER / "events.parquet"))
    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    SAID["added"] = explain_into(EVENTS, events, FOLDER / "spark", part_rows=20).added
    killer.join()
    SAID["servers"] = len(engine_jobs.servers(FOLDER))
    SAID["cohort"] = len(Cohort.open(FOLDER / "spark"))
    lost = sorted((FOLDER / "spark").glob("part-*"))[:2]
    SAID["lost"] = sum(pq.read_metadata(path).num_rows for path in lost)
    for path in lost:
        path.unlink()
    SAID["again"] = explain_into(EVENTS, events, FOLDER / "spark").added
    rows = spark.read.parquet(str(FOLDER / "rows.parquet"))
    pq.write_table(explain_frame(ROWS, rows).toArrow(), FOLDER / "frame.parquet")
    try:
        explain_frame(ROWS, rows.union(rows.limit(1))).collect()
    except Exception as error:
        SAID["repeated"] = str(error)
    for name, question in (("time", replace(EVENTS, time=None)), ("id", replace(ROWS, id=None))):
        try:
            explain_frame(question, events)
        except CallerError as error:
            SAID[name] = str(error)
    exec(engine_jobs.script("On Spark", FOLDER), {})
    spark.stop()
    (FOLDER / "said.json").write_text(json.dumps(SAID))


if __name__ == "__main__":
    main()
