"""Frames hold what the CSV holds, as numbers, times and missing values."""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pytest
from sequela_client import CallerError, Explanation, Sequela
from sequela_client.attribution_rows import COLUMNS, ColumnType


@pytest.fixture
def answer(client: Sequela) -> Explanation:
    return client.explain([[1.0, 2.0]] * 4, model="m")


def from_text(kind: ColumnType, text: str) -> object:
    """What a cell of the CSV means."""
    if text == "":
        return None
    return {
        ColumnType.TEXT: str,
        ColumnType.INTEGER: int,
        ColumnType.NUMBER: float,
        ColumnType.FLAG: "True".__eq__,
        ColumnType.TIME: datetime.fromisoformat,
    }[kind](text)


def test_arrow_has_what_the_csv_has(answer: Explanation) -> None:
    """Value by value, for every target; an empty cell is a missing value or an empty text."""
    table = answer.to_arrow()
    told = list(csv.DictReader(io.StringIO(answer.to_csv())))
    assert table.column_names == list(told[0]) == list(COLUMNS)
    assert table.num_rows == len(told) > len(answer.targets) > 1
    for row, wanted in zip(table.to_pylist(), told, strict=True):
        for name, kind in COLUMNS.items():
            assert (None if row[name] == "" else row[name]) == from_text(kind, wanted[name]), name


def test_pandas_has_what_arrow_has(answer: Explanation) -> None:
    """The types tell a missing number from 0."""
    frame, table = answer.to_frame(), answer.to_arrow()
    for name in table.column_names:
        wanted = table[name].to_pylist()
        found = [None if pd.isna(value) else value for value in frame[name]]
        assert found == wanted, name
    assert frame["t"].dtype == "Int64"
    assert frame["event_time"].dtype == frame["create_time"].dtype == "datetime64[us, UTC]"
    sums = frame[frame.kind == "event"].groupby("target")["value"].sum()
    for target in answer.targets:
        events = answer.target(target.name).events
        assert sums[target.name] == pytest.approx(sum(event.value for event in events))


def test_a_sequence_that_was_not_explained(answer: Explanation) -> None:
    """One row for each target, without attributions; a base value that was not computed is missing."""
    targets = tuple(replace(each, base_value=math.nan, raw_base_value=math.nan) for each in answer.targets)
    bare = replace(answer, targets=targets, levels={}, explained=False)
    assert bare.to_arrow()["base_value"].to_pylist() == [None] * len(targets)
    assert bare.to_frame()["value"].isna().all()
    assert list(bare.to_frame()["score"]) == [each.score for each in targets]


def test_texts_are_raw_in_frames_and_inert_in_csv(answer: Explanation) -> None:
    """Only a spreadsheet runs formulas."""
    hostile = replace(answer, caller_id="=1+1")
    assert set(hostile.to_frame()["caller_id"]) == {"=1+1"}
    assert "'=1+1" in hostile.to_csv()


def test_times_are_in_utc(answer: Explanation) -> None:
    """Whatever zone they were sent in."""
    moved = replace(answer, create_time=datetime.fromisoformat("2026-04-02T12:00:00+02:00"))
    assert moved.to_arrow()["create_time"][0].as_py() == datetime(2026, 4, 2, 10, tzinfo=UTC)
    assert moved.to_arrow().schema.field("create_time").type == pa.timestamp("us", "UTC")


def test_without_pandas(answer: Explanation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to get it, and what works without it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CallerError, match=r"pip install pandas, or use to_arrow or to_csv"):
        answer.to_frame()
