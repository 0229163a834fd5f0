"""Runs that were ended go on: no row is lost or repeated, and the files are those of an undisturbed run."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow.parquet as pq
import pytest
from cohort import cohorts
from inference_server import InferenceServer, ServedModel
from sequela_client import CallerError, OperatorError, TryAgain
from sequela_client.cohort import BulkQuestion, RunOptions
from sequela_client.cohort import run as bulk_run
from sequela_client.cohort.folder import keep_question, locked
from sequela_client.cohort.run import Progress
from serving import Serving, embedded

COMMAND = [sys.executable, "-c", "from sequela_client.cli.main import main; main()", "explain-all"]
ACCOUNTS = 13


@pytest.fixture
def events(tmp_path: Path) -> Path:
    cohorts.accounts(ACCOUNTS).sample(frac=1, random_state=1).to_parquet(tmp_path / "events.parquet")
    return tmp_path / "events.parquet"


def test_a_run_with_nothing_left_starts_no_server(
    events: Path, events_question: BulkQuestion, real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the question is the same is known from the model's file; another question is refused as ever."""

    def start(*_: object) -> NoReturn:
        raise OperatorError("a server was started")

    monkeypatch.setattr(bulk_run, "local_pool", start)
    out = tmp_path / "out"
    cohorts.explained(events, out, real, events_question)
    seen: list[Progress] = []
    done = bulk_run.run(events, out, events_question, RunOptions(), seen.append)
    assert (done.added, done.explained) == (0, ACCOUNTS)
    assert (seen[-1].total, seen[-1].there) == (ACCOUNTS, ACCOUNTS)
    retried = RunOptions(retry_failed=True)
    assert bulk_run.run(events, out, events_question, retried, seen.append).added == 0
    np.save(tmp_path / "background.npy", np.zeros(2))
    from_file = replace(events_question, background=tmp_path / "background.npy")
    cohorts.explained(events, tmp_path / "file", real, from_file)
    assert bulk_run.run(events, tmp_path / "file", from_file, RunOptions(), seen.append).added == 0
    # Everything else needs a server: more sequences, another question, another model.
    cohorts.accounts(ACCOUNTS + 1).to_parquet(tmp_path / "more.parquet")
    model = Path(events_question.model)
    changed = model.parent / "schema.json"
    for data, question in (
        (tmp_path / "more.parquet", events_question),
        (events, replace(events_question, seeds=(1,))),
        (events, replace(events_question, decimal=",")),
        (events, events_question),
    ):
        if data == events and question == events_question:
            changed.write_text(changed.read_text() + " ")
        with pytest.raises(OperatorError, match="a server was started"):
            bulk_run.run(data, out, question, RunOptions(), seen.append)


@pytest.mark.slow
def test_a_run_behind_an_endpoint_with_nothing_left_starts_no_server(
    events: Path, events_question: BulkQuestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model behind an endpoint has no digest, so nothing about it needs a server."""
    model, out = Path(events_question.model), tmp_path / "out"
    served = InferenceServer({"toy": ServedModel(model.read_bytes())})
    allowed = embedded(endpoint_allow="grpc://127.0.0.1:*/*", endpoint_networks="127.0.0.0/8")
    with served, Serving(allowed) as serving:
        question = replace(
            events_question, model=served.uri("toy"), schema=str(model.with_name("schema.json"))
        )
        assert cohorts.explained(events, out, serving.bound.grpc, question).explained == ACCOUNTS

    def start(*_: object) -> NoReturn:
        raise OperatorError("a server was started")

    monkeypatch.setattr(bulk_run, "local_pool", start)
    done = bulk_run.run(events, out, question, RunOptions(), lambda _: None)
    assert (done.added, done.explained) == (0, ACCOUNTS)
    with pytest.raises(OperatorError, match="a server was started"):
        bulk_run.run(events, out, replace(question, seeds=(1,)), RunOptions(), lambda _: None)


@pytest.mark.slow
def test_a_killed_run_goes_on(events_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """SIGKILL after some parts; then the same again, from Python."""
    # As many as it takes for the run to be far from its end when the first parts are there.
    accounts, events = 30, tmp_path / "events.parquet"
    cohorts.accounts(accounts).sample(frac=1, random_state=1).to_parquet(events)
    question = replace(events_question, background=None, tolerances=(0.0, 0.01))
    model = Path(question.model)
    (model.parent / "schema.json").write_text(
        (model.parent / "schema.json").read_text()[:-1] + ', "background": {"x": [0, 0]}}'
    )
    cohorts.explained(events, tmp_path / "whole", real, question, part_rows=3)
    out = tmp_path / "killed"
    flags = ["--entity", "account", "--time", "when", "--label", "fraud", "--part-rows", "3"]
    flags += ["--pruning-tolerance", "0", "--pruning-tolerance", "0.01", "--max-coalitions", "256"]
    flags += ["--level", "event", "--level", "feature", "--server", real, "--model", question.model]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([*COMMAND, str(events), "--out", str(out), *flags], env=environment)
    try:
        give_up = time.monotonic() + 60
        while len(list(out.glob("part-*.parquet"))) < 3 and process.poll() is None:
            assert time.monotonic() < give_up
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    whole = len(list((tmp_path / "whole").glob("part-*.parquet")))
    assert 3 <= len(list(out.glob("part-*.parquet"))) < whole
    cohorts.explained(events, out, real, question, part_rows=3)
    assert cohorts.digests(out) == cohorts.digests(tmp_path / "whole")
    keys = [(row["id"], row["variant"]) for row in cohorts.rows(out)]
    assert len(keys) == len(set(keys)) == 2 * accounts


@pytest.mark.slow
def test_a_server_that_ends_old_connections_loses_no_row(
    events_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    """Connections end many times in a run, in the middle of streams; the files are those of a server that ends none."""
    cohorts.accounts(600).to_parquet(tmp_path / "events.parquet")
    cohorts.explained(tmp_path / "events.parquet", tmp_path / "young", real, events_question)
    started = time.monotonic()
    with Serving(embedded(max_connection_age=0.3, connection_age_grace=0.02)) as old:
        done = cohorts.explained(
            tmp_path / "events.parquet", tmp_path / "old", old.bound.grpc, events_question
        )
    assert time.monotonic() - started > 4 * 0.3
    assert (done.added, done.failed) == (600, {})
    assert cohorts.digests(tmp_path / "old") == cohorts.digests(tmp_path / "young")


def test_later_parts_may_be_there(
    events: Path, events_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    """Missing parts in the middle are filled, and a file that was left half-written is removed."""
    out = tmp_path / "out"
    cohorts.explained(events, out, real, events_question, part_rows=4)
    whole = cohorts.digests(out)
    for number in (0, 2, 3):
        (out / f"part-{number:05d}.parquet").unlink()
    (out / "part-00002.parquet.writing").write_bytes(b"half")
    done = cohorts.explained(events, out, real, events_question, part_rows=4)
    assert cohorts.digests(out) == whole
    assert done.added == 4 + 4 + 1
    assert cohorts.explained(events, out, real, events_question, part_rows=4).added == 0


@pytest.mark.slow
def test_another_question_is_refused(
    events: Path, events_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    cohorts.explained(events, tmp_path / "out", real, events_question)
    other = replace(events_question, options={**events_question.options, "max_coalitions": 257})
    with pytest.raises(CallerError, match=r"options was .*256.*, now .*257") as refused:
        cohorts.explained(events, tmp_path / "out", real, other)
    assert refused.value.reason == "QUESTION_DIFFERS"
    with pytest.raises(CallerError, match="part_rows was 1000, now 5"):
        cohorts.explained(events, tmp_path / "out", real, events_question, part_rows=5)
    with pytest.raises(CallerError, match="background was"):
        cohorts.explained(events, tmp_path / "out", real, replace(events_question, background=[0.0, 0.1]))


@pytest.mark.slow
def test_one_run_at_a_time(events: Path, events_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(CallerError, match="another process") as refused:
        cohorts.explained(events, tmp_path / "out", real, events_question)
    assert refused.value.reason == "FOLDER_IN_USE"


@pytest.mark.slow
def test_other_files(events: Path, events_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(CallerError, match=r"notes\.txt") as refused:
        cohorts.explained(events, tmp_path / "out", real, events_question)
    assert refused.value.reason == "FOLDER_NOT_OURS"


@pytest.mark.slow
def test_failed_rows_are_tried_again(events_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """After the data was mended; the files are then those of a run with the mended data."""
    table = cohorts.accounts(30).astype({"amount": object})
    broken = table.copy()
    broken.loc[broken.account.isin(["a003", "a017"]), "amount"] = "?!"
    table.to_csv(tmp_path / "good.csv", index=False)
    broken.to_csv(tmp_path / "data.csv", index=False)
    out, right = tmp_path / "out", tmp_path / "right"
    done = cohorts.explained(tmp_path / "data.csv", out, real, events_question, part_rows=8)
    assert dict(done.failed) == {"NOT_A_NUMBER": 2}
    table.to_csv(tmp_path / "data.csv", index=False)
    assert cohorts.explained(tmp_path / "data.csv", out, real, events_question, part_rows=8).added == 0
    again = cohorts.explained(
        tmp_path / "data.csv", out, real, events_question, part_rows=8, retry_failed=True
    )
    assert (again.added, again.failed) == (2, {})
    cohorts.explained(tmp_path / "good.csv", right, real, events_question, part_rows=8)
    assert cohorts.digests(out) == cohorts.digests(right)


@pytest.mark.slow
def test_numbers_of_rows_are_places_in_the_input(
    rows_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    """A row in front moves all numbers: rows that are there stay as they were, and only the last number is added."""
    question = replace(rows_question, id=None, time=None, labels=())
    values = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    data, out = tmp_path / "x.npy", tmp_path / "out"
    np.save(data, values)
    cohorts.explained(data, out, real, question)
    before = cohorts.rows(out)
    np.save(data, np.concatenate([np.ones((1, 3, 2), np.float32), values]))
    assert cohorts.explained(data, out, real, question).added == 1
    after = cohorts.rows(out)
    assert after[:4] == before
    assert (after[4]["id"], after[4]["score"]) == ("4", before[3]["score"])


@pytest.mark.slow
def test_a_mended_row_may_get_an_id(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """The folder is complete without it; --retry-failed explains it under that id, in place of its failed row."""
    table = cohorts.nested(cohorts.accounts(6))
    ids = table["account"].to_pylist()
    data, out = tmp_path / "rows.parquet", tmp_path / "out"
    pq.write_table(table.set_column(0, "account", [[*ids[:2], None, *ids[3:]]]), data)
    assert cohorts.explained(data, out, real, rows_question).failed == {"ID_MISSING": 1}
    assert [row["id"] for row in cohorts.rows(out)] == [*ids[:2], "row:2", *ids[3:]]
    pq.write_table(table, data)
    assert cohorts.explained(data, out, real, rows_question).added == 0
    assert cohorts.explained(data, out, real, rows_question, retry_failed=True).added == 1
    assert sorted(row["id"] for row in cohorts.rows(out)) == ids


@pytest.mark.slow
def test_a_server_that_is_gone(events: Path, events_question: BulkQuestion, tmp_path: Path) -> None:
    """The run ends with an error that says to try again, and leaves nothing half-written."""
    with pytest.raises(TryAgain, match="no server answers"):
        cohorts.explained(events, tmp_path / "out", "localhost:9", events_question, patience_seconds=0.5)
    assert not list((tmp_path / "out").glob("part*"))


@pytest.mark.slow
def test_rows_that_all_fail_alike_end_the_run(
    events_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    """If the first so many do, nothing of it is written. Without the limit, and for one more, all rows are."""
    table = cohorts.accounts(30).astype({"amount": object})
    table["amount"] = "?!"
    data, out = tmp_path / "data.csv", tmp_path / "out"
    table.to_csv(data, index=False)
    with pytest.raises(
        CallerError, match=r"first 30 rows all failed.*a000: .*--stop-after-failures 0"
    ) as ended:
        cohorts.explained(data, out, real, events_question, part_rows=8, stop_after_failures=30)
    assert ended.value.reason == "NOT_A_NUMBER"
    assert not list(out.glob("part-*"))
    for most in (0, 31):
        done = cohorts.explained(
            data, tmp_path / str(most), real, events_question, part_rows=8, stop_after_failures=most
        )
        assert dict(done.failed) == {"NOT_A_NUMBER": 30}
    again = cohorts.explained(data, tmp_path / "0", real, events_question, part_rows=8, retry_failed=True)
    assert (again.added, dict(again.failed)) == (30, {"NOT_A_NUMBER": 30})


@pytest.mark.slow
def test_one_row_that_differs_lets_a_run_go_on(
    events_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    table = cohorts.accounts(30).astype({"amount": object})
    table.loc[table.account != "a005", "amount"] = "?!"
    data = tmp_path / "data.csv"
    table.to_csv(data, index=False)
    done = cohorts.explained(data, tmp_path / "out", real, events_question, stop_after_failures=10)
    assert (done.explained, dict(done.failed)) == (1, {"NOT_A_NUMBER": 29})


@pytest.mark.slow
def test_a_disk_that_is_full(
    events: Path, events_question: BulkQuestion, real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what happened, and what is done is kept."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("sequela_client.cohort.parts.replace_file", full)
        with pytest.raises(OperatorError, match=r"part-00000\.parquet: cannot be written: No space left"):
            cohorts.explained(events, tmp_path / "out", real, events_question)
    cohorts.explained(events, tmp_path / "out", real, events_question)
    assert len(cohorts.rows(tmp_path / "out")) == ACCOUNTS


def test_a_question_without_an_answer_is_replaced(tmp_path: Path) -> None:
    """A run that was refused, for example because of a wrong option, does not lock the folder to its question."""
    keep_question(tmp_path, {"entity": None})
    keep_question(tmp_path, {"entity": "account"})
    (tmp_path / "part-00000.parquet").touch()
    with pytest.raises(CallerError, match='entity was "account", now null'):
        keep_question(tmp_path, {"entity": None})
