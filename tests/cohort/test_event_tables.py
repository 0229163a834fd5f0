"""Tables of events in any order, against pandas."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from client import file_models
from cohort import cohorts
from hypothesis import given, settings
from hypothesis import strategies as st
from sequela_client.cli.main import main
from sequela_client.cohort import BulkQuestion, Memory
from sequela_client.cohort.sources import events as event_tables
from sequela_client.cohort.sources import open_source
from sweeps import examples


def read(path: Path, rows: int = 7) -> list[dict[str, Any]]:
    question = BulkQuestion("m", entity="account", time="when")
    source = open_source(path, question, Memory())
    found = [row for batch in source.batches(["amount", "hour", "fraud"], rows) for row in batch.to_pylist()]
    assert source.count() == len(found)
    return found


@pytest.mark.slow
@settings(max_examples=examples(25))
@given(seed=st.integers(0, 10**6), count=st.integers(1, 30), batch=st.integers(1, 40))
def test_any_order_of_rows(seed: int, count: int, batch: int) -> None:
    """The sequences are those of a groupby; equal times keep their order, wherever batches begin."""
    events = cohorts.accounts(count, seed).sample(frac=1, random_state=seed)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(event_tables, "_EVENTS", batch)
        events.to_parquet(Path(folder, "e.parquet"))
        found = read(Path(folder, "e.parquet"))
    right = cohorts.sequences_of(events)
    assert [row["account"] for row in found] == list(right)
    assert [row["sequela.row"] for row in found] == list(range(count))
    for row in found:
        assert row["amount"] == right[row["account"]]["amount"].tolist()
        assert row["hour"] == right[row["account"]]["hour"].tolist()


def test_scores_and_labels(events_question: BulkQuestion, model: Path, real: str, tmp_path: Path) -> None:
    """Parquet and CSV give the scores that the model itself gives for pandas' groups."""
    events = cohorts.accounts(8).sample(frac=1, random_state=3)
    events.to_parquet(tmp_path / "e.parquet")
    events.to_csv(tmp_path / "e.csv", index=False)
    for name in ("e.parquet", "e.csv"):
        out = tmp_path / f"out-{name}"
        cohorts.explained(tmp_path / name, out, real, events_question)
        found = {row["id"]: row for row in cohorts.rows(out)}
        for owner, group in cohorts.sequences_of(events).items():
            row = found[owner]
            right = file_models.score(model, group[["amount", "hour"]].to_numpy())
            assert row["score"] == pytest.approx(right, abs=1e-6)
            assert row["full_length"] == row["length"] == len(group)
            assert row["time"] == group["when"].iloc[-1].tz_localize("UTC")
            assert dict(row["labels"])["fraud"].lower() == str(group["fraud"].iloc[-1]).lower()
            total = sum(e["value"] for e in row["events"]) + (row["pruning"]["value"] or 0.0)
            assert total == pytest.approx(row["score"] - row["base_value"], abs=1e-6)


def test_times_as_numbers_in_csv(tmp_path: Path) -> None:
    """They are sorted as numbers, not as text."""
    events = pd.DataFrame({"account": "a", "when": [10, 9, 100, 1], "amount": [3, 2, 4, 1]})
    events.assign(hour=0, fraud=0).to_csv(tmp_path / "e.csv", index=False)
    assert read(tmp_path / "e.csv")[0]["amount"] == ["1", "2", "3", "4"]


def test_bad_events(events_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """A sequence with a word among its numbers, a missing value or no time fails alone; so do events without owner."""
    events = cohorts.accounts(8).astype({"amount": object, "account": object})
    events.loc[events.account == "a001", "amount"] = "x1"
    events.loc[events.account == "a002", "amount"] = ""
    first = events.index[events.account == "a003"][0]
    events.loc[first, "when"] = np.nan
    events.loc[events.account == "a004", "account"] = None
    events.to_csv(tmp_path / "e.csv", index=False)
    cohorts.explained(tmp_path / "e.csv", tmp_path / "out", real, events_question)
    failed = {row["id"]: row for row in cohorts.rows(tmp_path / "out") if row["status"] == "failed"}
    assert {id: row["reason"] for id, row in failed.items()} == {
        "a001": "NOT_A_NUMBER",
        "a002": "VALUE_MISSING",
        "a003": "TIME_MISSING",
        "row:7": "ID_MISSING",
    }
    assert "column 'amount', event 1: 'x1' is not a number" in failed["a001"]["message"]
    assert len(cohorts.rows(tmp_path / "out")) == 8


def test_reasons_name_times_as_the_command_does(real: str, tmp_path: Path) -> None:
    """The times of the events are sent, so that {time} reads the same."""
    schema = {
        **file_models.features("amount", "hour"),
        "background": {"x": [0, 0]},
        "reasons": {"version": 1, "templates": [{"feature": "*", "text": "{label} of {value} at {time}."}]},
    }
    model = file_models.written(tmp_path / "model", file_models.weighted(2), schema)
    events = cohorts.accounts(6, seed=4)
    events.to_csv(tmp_path / "events.csv", index=False)
    question = BulkQuestion(
        str(model), entity="account", time="when", options={"pruning_tolerance": 0.0, "cell_threshold": 0.0}
    )
    cohorts.explained(tmp_path / "events.csv", tmp_path / "out", real, question)
    times = 0
    for row in cohorts.rows(tmp_path / "out"):
        command = [
            "explain",
            "--server",
            real,
            "--model",
            str(model),
            "--sequence",
            str(tmp_path / "events.csv"),
        ]
        command += ["--entity", f"account={row['id']}", "--time", "when", "--columns", "amount,hour"]
        done = CliRunner().invoke(
            main, [*command, "--cell-threshold", "0", "--pruning-tolerance", "0", "--json", "-"]
        )
        assert done.exit_code == 0, done.output
        told = [each["text"] for each in json.loads(done.stdout)["reasons"]]
        assert [each["text"] for each in row["reasons"]] == told
        times += sum(" at 2026-01-01 0" in text for text in told)
    assert times >= 6
