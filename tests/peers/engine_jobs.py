"""Programs on Ray and Spark: the data that they explain, how they are run, and what is left of their servers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
from client import file_models
from cohort import cohorts
from sequela_client.cohort import BulkQuestion, schema

from scripts.peer_env import ROOT, ensure

PAGE = ROOT / "docs" / "bulk.md"
SEEDS = (0, 1)
RUN_SECONDS = 600.0
"""A program that takes longer hangs: it takes about one minute. What it printed stands in the error then."""
FOLDERS = ("service", "clients/python", "proto/python", "tests")


def write_inputs(folder: Path, count: int) -> None:
    """A model, and accounts as events in any order and as sequences. Times of an account differ."""
    events = cohorts.accounts(count)
    events["when"] += pd.to_timedelta(np.arange(len(events)), "s")
    schema = {**file_models.features("amount", "hour"), "background": {"x": [0, 0]}}
    (folder / "model.onnx").write_bytes(file_models.weighted(2))
    (folder / "schema.json").write_text(json.dumps(schema))
    events.sample(frac=1, random_state=0).to_parquet(folder / "events.parquet", index=False)
    pq.write_table(cohorts.nested(events), folder / "rows.parquet", row_group_size=max(1, count // 6))


def rows_question(folder: Path) -> BulkQuestion:
    """A question about the sequences, with two variants."""
    return BulkQuestion(
        str(folder / "model.onnx"),
        options=cohorts.FEW,
        id="account",
        time="when",
        labels=("fraud",),
        seeds=SEEDS,
    )


def events_question(folder: Path) -> BulkQuestion:
    """The same question about the events."""
    return replace(rows_question(folder), id=None, entity="account")


def section(title: str) -> str:
    """The section of docs/bulk.md with this title."""
    return PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def script(title: str, folder: Path) -> str:
    """The code of a section, for a folder in place of the one that its machines share."""
    code = "\n".join(re.findall(r"```py\n(.*?)```", section(title), re.DOTALL))
    return code.replace("/shared", str(folder))


def run(peer: str, program: Path, folder: Path) -> str:
    """Runs a program in the environment of a peer, with all temporary files in the folder. Returns what it printed."""
    scratch = folder / "t"
    scratch.mkdir()
    python = ensure(peer)
    home = {"HOME": str(scratch), "TMPDIR": str(scratch), "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [python, "-W", "ignore", str(program), str(folder)],
        cwd=scratch,
        env={
            **os.environ,
            **home,
            # Otherwise Spark's workers run the first `python3` of PATH.
            "PYSPARK_PYTHON": str(python),
            "PYTHONPATH": os.pathsep.join(
                map(str, [ROOT, *(ROOT / each for each in FOLDERS), _metadata(folder)])
            ),
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[:6000] + done.stderr[-3000:]
    return done.stdout


def _metadata(folder: Path) -> Path:
    """A folder from which Python reads the version of Sequela, which is not installed in a peer's environment."""
    found = folder / "metadata"
    package = found / f"sequela-{version('sequela')}.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: sequela\nVersion: {version('sequela')}\n"
    )
    return found


def servers(folder: Path) -> list[psutil.Process]:
    """The servers whose files are in a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
        and "--ready-file" in process.info["cmdline"]
    ]


def described(path: Path) -> tuple[Any, dict[bytes, bytes]]:
    """The columns of a file of a cohort, and what it says about itself, apart from the version of the package, which is
    not installed in the environments of peers.
    """
    found = pq.read_schema(path)
    metadata = dict(found.metadata)
    metadata.pop(schema.PACKAGE_KEY.encode() if isinstance(schema.PACKAGE_KEY, str) else schema.PACKAGE_KEY)
    return found.remove_metadata(), metadata


def by_key(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows sorted by their key."""
    return sorted(rows, key=lambda row: (row["id"], row["variant"]))


def read_said(folder: Path) -> dict[str, Any]:
    """What a program said about its runs."""
    found: dict[str, Any] = json.loads((folder / "said.json").read_text())
    return found


def check_rows(folder: Path, name: str, said: dict[str, Any], count: int) -> None:
    """The rows of an engine are those of the local run, bit for bit."""
    local = cohorts.rows(folder / "local")
    assert by_key(cohorts.rows(folder / name)) == by_key(local)
    assert said["cohort"] == said["added"] == len(local) == count * len(SEEDS)


def wait_for_no_server(folder: Path) -> None:
    """Waits two minutes at the most until no server of the folder runs."""
    give_up = time.monotonic() + 120
    while servers(folder):
        assert time.monotonic() < give_up
        time.sleep(0.1)


def check_script(folder: Path, name: str, count: int) -> None:
    """The script of docs/bulk.md has explained all sequences."""
    found = cohorts.rows(folder / name)
    assert len(found) == count
    assert {row["status"] for row in found} == {"explained"}
