"""Files with one row for each sequence: Parquet, CSV, npy and npz."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from client import file_models
from cohort import cohorts
from sequela_client import CallerError
from sequela_client.cohort import BulkQuestion


def test_the_same_rows_from_every_kind_of_file(
    rows_question: BulkQuestion, model: Path, real: str, tmp_path: Path
) -> None:
    """Lists in Parquet and in CSV, and arrays one below the other with their lengths."""
    groups = cohorts.sequences_of(cohorts.accounts(7))
    table = cohorts.nested(cohorts.accounts(7))
    pq.write_table(table.slice(0, 5), tmp_path / "rows-1.parquet")
    pq.write_table(table.slice(5), tmp_path / "rows-2.parquet")
    lists = {name: list(map(str, table[name].to_pylist())) for name in ("amount", "hour")}
    pd.DataFrame({"account": table["account"].to_pylist(), **lists}).to_csv(
        tmp_path / "rows.csv", index=False
    )
    values = np.concatenate([group[["amount", "hour"]].to_numpy() for group in groups.values()])
    lengths = [len(group) for group in groups.values()]
    np.savez(tmp_path / "rows.npz", x=values, lengths=lengths, account=list(groups))
    question = replace(rows_question, time=None, labels=())
    found = {}
    for name in ("rows-*.parquet", "rows.csv", "rows.npz"):
        cohorts.explained(tmp_path / name, tmp_path / f"out-{name[:-4]}", real, question, part_rows=5)
        found[name] = cohorts.rows(tmp_path / f"out-{name[:-4]}")
    assert found["rows.csv"] == found["rows-*.parquet"] == found["rows.npz"]
    for row, group in zip(found["rows.csv"], groups.values(), strict=True):
        right = file_models.score(model, group[["amount", "hour"]].to_numpy())
        assert row["score"] == pytest.approx(right, abs=1e-6)


def test_an_array_of_sequences_of_one_length(
    rows_question: BulkQuestion, model: Path, real: str, tmp_path: Path
) -> None:
    """(n, l, d) in .npy; rows are numbered."""
    values = np.random.default_rng(0).normal(size=(5, 4, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    question = replace(rows_question, id=None, time=None, labels=())
    cohorts.explained(tmp_path / "x.npy", tmp_path / "out", real, question)
    for at, row in enumerate(cohorts.rows(tmp_path / "out")):
        assert row["id"] == str(at)
        assert row["score"] == pytest.approx(file_models.score(model, values[at]), abs=1e-6)


def test_repeated_and_missing_ids(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """The first row of an id counts; the others are set aside, and a run that is repeated adds nothing."""
    table = cohorts.nested(cohorts.accounts(9)).to_pylist()
    table[4]["account"] = table[1]["account"]
    table[7]["account"] = table[1]["account"]
    table[5]["account"] = None
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "rows.parquet")
    data, out = tmp_path / "rows.parquet", tmp_path / "out"
    done = cohorts.explained(data, out, real, rows_question, part_rows=2)
    assert done.failed == {"ID_REPEATED": 2, "ID_MISSING": 1}
    rows = cohorts.rows(out)
    assert [row["id"] for row in rows if row["status"] == "failed"] == ["row:4", "row:5", "row:7"]
    assert len({row["id"] for row in rows}) == 9
    whole = cohorts.digests(out)
    (out / "part-00002.parquet").unlink()
    assert cohorts.explained(data, out, real, rows_question, part_rows=2).added == 2
    assert cohorts.digests(out) == whole


def test_files_that_cannot_be_read(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """One line that names the file, the column, or what is missing."""
    (tmp_path / "bad.parquet").write_bytes(b"no")
    (tmp_path / "words.csv").write_text("account,amount,hour\na,1,2\n")
    np.savez(tmp_path / "uneven.npz", x=np.zeros((6, 2)), y=np.zeros((5, 2)))
    cases = (
        ("bad.parquet", r"bad\.parquet", rows_question),
        ("nowhere.parquet", "no files of one of these kinds", rows_question),
        ("words.csv", "has no column 'when'", rows_question),
        ("words.csv", "holds one value .*--entity", replace(rows_question, time=None, labels=())),
        ("uneven.npz", "lengths", replace(rows_question, time=None, labels=())),
    )
    for name, said, question in cases:
        with pytest.raises(CallerError, match=said):
            cohorts.explained(tmp_path / name, tmp_path / "out", real, question)
