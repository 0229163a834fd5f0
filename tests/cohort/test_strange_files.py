"""Files as other programs write them: late quotes, lines before the header, ids of any type."""

from __future__ import annotations

import decimal
import gzip
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cohort import cohorts
from sequela_client import CallerError
from sequela_client.cohort import BulkQuestion
from sequela_client.cohort.sources import Memory, open_source
from sequela_client.model_inputs.timestamps import readings

pytestmark = pytest.mark.slow

HEADER = "account,when,amount,hour,fraud\n"
LINE = "a,2026-01-01,0.5,3,no\n"


def read(path: Path, question: BulkQuestion) -> list[dict[str, Any]]:
    """The rows of the sequences of a file, of all columns."""
    source = open_source(path, question, Memory())
    return [row for batch in source.batches(source.names, 100) for row in batch.to_pylist()]


def csv_file(folder: Path, text: str) -> Path:
    (folder / "events.csv").write_text(text)
    return folder / "events.csv"


def lists(*values: list[Any]) -> pa.Array:
    return pa.array(values, pa.list_(pa.float64()))


def test_a_quote_far_below(events_question: BulkQuestion, tmp_path: Path) -> None:
    """pandas writes quotes only where they are needed."""
    lines = "".join(f"a{number},2026-01-01,0.5,3,no\n" for number in range(21_000))
    late = '"b,c",2026-01-01,0.5,3,"say ""no"""\n"d",2026-01-01,0.5,3,"no"\n'
    found = {
        row["account"]: row["fraud"]
        for row in read(csv_file(tmp_path, HEADER + lines + late), events_question)
    }
    assert len(found) == 21_002
    assert (found["b,c"], found["d"]) == (['say "no"'], ["no"])


@pytest.mark.parametrize(
    "text",
    [
        "# written by a program\n\n" + HEADER + LINE,
        "\n" + HEADER + LINE,
        ("sep=;\n" + HEADER + LINE).replace(",", ";"),
        ("\ufeff" + HEADER + LINE).replace(",", "\t"),
    ],
)
def test_what_comes_before_the_header(events_question: BulkQuestion, tmp_path: Path, text: str) -> None:
    (row,) = read(csv_file(tmp_path, text), events_question)
    assert (row["account"], row["amount"], row["fraud"]) == ("a", ["0.5"], ["no"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + LINE * 3 + "b,2026-01-01\n" + LINE, "events.csv: line 5 has 2 columns, and the header 5"),
        (HEADER + LINE * 3 + "b,2026-01-01,1,2,no,more\n", "line 5 has 6 columns, and the header 5"),
        ("# by hand\n\n" + HEADER + LINE + "b,2026-01-01\n", "line 5 has 2 columns, and the header 5"),
        ((HEADER + LINE).replace("\n", "\r\n") + LINE, r"end in different ways \(LF, CR LF or CR\)"),
        (HEADER + LINE * 30_000 + "b,2026-01-01\n", "Line: 30002; .* Expected Number of Columns: 5 Found: 2"),
        ("\ufeff".encode("utf-16").decode("latin-1"), "UTF-16"),
    ],
)
def test_lines_are_never_left_out(
    events_question: BulkQuestion, tmp_path: Path, text: str, message: str
) -> None:
    path = csv_file(tmp_path, "")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CallerError, match=message):
        read(path, events_question)


@pytest.mark.parametrize("good", [3, 30_000])
def test_an_error_names_the_file_at_fault(events_question: BulkQuestion, tmp_path: Path, good: int) -> None:
    """With several files, and a line near the top or far below."""
    (tmp_path / "one.csv").write_text(HEADER + LINE)
    (tmp_path / "two.csv").write_text(HEADER + LINE * good + "b,2026-01-01\n")
    with pytest.raises(CallerError, match=r"^two\.csv: "):
        read(tmp_path / "*.csv", events_question)


def test_empty_files(events_question: BulkQuestion, tmp_path: Path) -> None:
    """One beside others is skipped, and one alone is refused."""
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(CallerError, match=r"^a\.csv: is empty$"):
        read(tmp_path / "*.csv", events_question)
    (tmp_path / "b.csv").write_text(HEADER + LINE)
    (row,) = read(tmp_path / "*.csv", events_question)
    assert "column0" not in row


def test_a_cell_that_is_no_list_fails_its_row_only(
    rows_question: BulkQuestion, real: str, tmp_path: Path
) -> None:
    question = replace(rows_question, time=None, labels=())
    path = csv_file(tmp_path, 'account,amount,hour\na,"[1, 2]","[3, 4]"\nb,oops,"[1]"\n007,"[1]","[2]"\n')
    cohorts.explained(path, tmp_path / "out", real, question)
    found = {row["id"]: row["status"] for row in cohorts.rows(tmp_path / "out")}
    assert found == {"a": "explained", "b": "failed", "007": "explained"}


def test_decimal_commas(events_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    """Without the option a number with a comma is refused with the way out; with it, one with a point is."""
    text = (HEADER + LINE).replace(",", ";").replace("0.5", "0,5")
    file = csv_file(tmp_path, text)
    cohorts.explained(file, tmp_path / "out", real, events_question)
    (row,) = cohorts.rows(tmp_path / "out")
    assert row["message"].endswith(
        "'0,5' has a decimal comma, but the file was read with decimal points; use --decimal ,"
    )
    commas = replace(events_question, decimal=",")
    cohorts.explained(file, tmp_path / "commas", real, commas)
    right = csv_file(tmp_path, HEADER + LINE)
    cohorts.explained(right, tmp_path / "points", real, events_question)
    (row,), (other,) = cohorts.rows(tmp_path / "commas"), cohorts.rows(tmp_path / "points")
    assert row["status"] == "explained"
    assert (row["score"], row["features"]) == (other["score"], other["features"])
    cohorts.explained(right, tmp_path / "refused", real, commas)
    (row,) = cohorts.rows(tmp_path / "refused")
    assert (
        "'0.5' has a decimal point, but the file was read with decimal commas; use --decimal ."
        in row["message"]
    )


def test_decimal_commas_in_lists(rows_question: BulkQuestion, tmp_path: Path) -> None:
    """Commas separate the values of a list, so they cannot be decimal marks too."""
    path = csv_file(tmp_path, 'account;amount;hour\na;"[1, 2]";"[3, 4]"\n')
    question = replace(rows_question, time=None, labels=(), decimal=",")
    with pytest.raises(CallerError, match="values are separated by commas"):
        read(path, question)
    with pytest.raises(CallerError, match=r"decimal: must be '\.' or ',', not ';'"):
        replace(question, decimal=";")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-8-sig", "shift_jis"])
def test_encodings(events_question: BulkQuestion, tmp_path: Path, encoding: str) -> None:
    """Labels come as they were written. Packed files are read, too, and copies are made where memory is sorted."""
    word = "カード" if encoding == "shift_jis" else "Müller" if encoding == "cp1252" else "Müller カード"
    text = (HEADER + LINE).replace("no", word)
    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress(text.encode(encoding)))
    question = replace(events_question, encoding=encoding)
    (row,) = read(path, question)
    assert row["fraud"] == [word]


def test_wrong_encodings(events_question: BulkQuestion, tmp_path: Path) -> None:
    """Each is named."""
    path = csv_file(tmp_path, "")
    path.write_bytes((HEADER + LINE).replace("no", "Müller").encode("cp1252"))
    with pytest.raises(CallerError, match="is not encoded as utf-16"):
        read(path, replace(events_question, encoding="utf-16"))
    with pytest.raises(CallerError, match="encoding: must be the name of an encoding, such as utf-8"):
        read(path, replace(events_question, encoding="nonsense"))


@pytest.mark.parametrize(
    ("written", "second"),
    [
        ("29.03.2026", "30.03.2026"),
        ("29.03.2026 14:30", "30.03.2026 09:00"),
        ("29.3.2026 14:30:05", "1.4.2026 00:00:00"),
        ("2026/03/29", "2026/03/30 10:15"),
        ("29/03/2026", "04/05/2026"),
        ("03/29/2026 23:59", "04/05/2026 01:00"),
        ("29-03-2026", "30-03-2026"),
        ("05/05/2026", "06/06/2026"),
    ],
)
def test_dates_of_many_countries(
    events_question: BulkQuestion, tmp_path: Path, written: str, second: str
) -> None:
    """They order the events as `sequela explain` reads them; rows are in the wrong order here."""
    lines = [LINE.replace("2026-01-01", second).replace("0.5", "2"), LINE.replace("2026-01-01", written)]
    (row,) = read(csv_file(tmp_path, HEADER + "".join(lines)), events_question)
    assert row["amount"] == ["0.5", "2"]
    (way,) = readings([written, second], ".")
    assert [time.astimezone(UTC) for time in row["when"]] == way


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (("03/04/2026", "05/06/2026"), "either number may be the day; write dates like 2026-03-29"),
        (("29 mars", "30 mars"), "is not a time that can be read; write times like 2026-03-29T14:00:00"),
    ],
)
def test_dates_that_cannot_be_read(
    events_question: BulkQuestion, tmp_path: Path, times: tuple[str, str], said: str
) -> None:
    """Refused before anything is explained, with the way out."""
    lines = "".join(LINE.replace("2026-01-01", time) for time in times)
    with pytest.raises(CallerError, match=said):
        read(csv_file(tmp_path, HEADER + lines), events_question)


def test_dates_in_lists(rows_question: BulkQuestion, tmp_path: Path) -> None:
    """Texts of a CSV file, and of Parquet."""
    path = csv_file(
        tmp_path, 'account,amount,hour,when,fraud\na,"[1, 2]","[3, 4]","[29.03.2026, 30.03.2026]",no\n'
    )
    frame = pd.DataFrame({"account": ["a"], "when": [["29.03.2026", "30.03.2026"]]})
    frame.to_parquet(tmp_path / "rows.parquet")
    for file in (path, tmp_path / "rows.parquet"):
        source = open_source(file, rows_question, Memory())
        ((row,),) = (batch.to_pylist() for batch in source.batches(["when"], 10))
        assert [f"{time:%Y-%m-%d}" for time in row["when"]] == ["2026-03-29", "2026-03-30"]


def test_times_that_are_texts_are_in_order(events_question: BulkQuestion, tmp_path: Path) -> None:
    """By their characters, 10 comes before 9, and a time of another zone anywhere."""
    times = {
        "a": ["10", "9"],
        "b": ["2026-01-03T00:00:00Z", "2026-01-02T22:00:00-05:00"],
    }
    for name, (first, second) in times.items():
        events = pa.table(
            {"account": [name] * 2, "when": [first, second], "amount": [1.0, 2.0], "hour": [1, 2]}
        )
        pq.write_table(events, tmp_path / f"{name}.parquet")
    assert read(tmp_path / "a.parquet", events_question)[0]["amount"] == [2.0, 1.0]
    assert read(tmp_path / "b.parquet", events_question)[0]["amount"] == [1.0, 2.0]


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([1.0, 2.0, 1.0]),
        pa.array([0, 1, 0], pa.timestamp("us")),
        pa.array([0, 1, 0], pa.timestamp("ns", "Europe/Lisbon")),
        pa.array([decimal.Decimal("1.50"), decimal.Decimal("2"), decimal.Decimal("1.50")]),
        pa.array([True, False, True]),
        pa.array(["1", "01", "1"]).dictionary_encode(),
    ],
    ids=lambda ids: str(ids.type),
)
def test_ids_of_any_type_are_found_again(
    rows_question: BulkQuestion, real: str, tmp_path: Path, ids: pa.Array
) -> None:
    table = pa.table({"account": ids, "amount": lists([1], [2], [3]), "hour": lists([1], [2], [3])})
    pq.write_table(table, tmp_path / "rows.parquet")
    question = replace(rows_question, time=None, labels=())
    cohorts.explained(tmp_path / "rows.parquet", tmp_path / "out", real, question)
    assert [row["reason"] for row in cohorts.rows(tmp_path / "out")] == [None, None, "ID_REPEATED"]


def test_nan_is_no_id_and_no_label(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    table = pa.table(
        {
            "account": [1.0, float("nan")],
            "amount": lists([1], [2]),
            "hour": lists([1], [2]),
            "fraud": [float("nan"), 1.0],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    cohorts.explained(tmp_path / "rows.parquet", tmp_path / "out", real, replace(rows_question, time=None))
    found = [(row["id"], row["reason"], row["labels"]) for row in cohorts.rows(tmp_path / "out")]
    assert found == [("1", None, []), ("row:1", "ID_MISSING", [("fraud", "1.0")])]


@pytest.mark.parametrize("ids", [[{"a": 1}], [[1]], [b"\xff"]], ids=["struct", "list", "bytes"])
def test_what_cannot_be_ids(
    events_question: BulkQuestion, real: str, tmp_path: Path, ids: list[object]
) -> None:
    table = pa.table({"account": ids, "amount": [1.0], "hour": [1]})
    pq.write_table(table, tmp_path / "events.parquet")
    question = replace(events_question, time=None, labels=())
    with pytest.raises(CallerError, match=r"column 'account': holds .*, which cannot name sequences"):
        cohorts.explained(tmp_path / "events.parquet", tmp_path / "out", real, question)


def test_large_integers(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    amounts = pa.array([[1], [2**63 + 5]], pa.list_(pa.uint64()))
    pq.write_table(
        pa.table({"account": ["a", "b"], "amount": amounts, "hour": lists([1], [2])}), tmp_path / "r.parquet"
    )
    question = replace(rows_question, time=None, labels=())
    assert not cohorts.explained(tmp_path / "r.parquet", tmp_path / "out", real, question).failed


def test_arrays_of_another_byte_order(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    question = replace(rows_question, id=None, time=None, labels=())
    values = np.arange(12.0).reshape(2, 3, 2)
    for name, array in {"own": values, "other": values.astype(">f8")}.items():
        np.save(tmp_path / f"{name}.npy", array)
        cohorts.explained(tmp_path / f"{name}.npy", tmp_path / name, real, question)
    own, other = (cohorts.rows(tmp_path / name) for name in ("own", "other"))
    assert [row["score"] for row in own] == [row["score"] for row in other] != [None, None]


@pytest.mark.parametrize("array", [np.array(3.0), np.ones((2, 0, 2)), np.ones((2, 3, 2), complex)], ids=str)
def test_arrays_without_sequences(rows_question: BulkQuestion, tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(CallerError, match=r"x\.npy: array 'values' of shape"):
        open_source(tmp_path / "x.npy", rows_question, Memory())


def test_the_event_of_a_missing_value(rows_question: BulkQuestion, real: str, tmp_path: Path) -> None:
    values = np.ones((1, 4, 2))
    values[0, 2:] = np.nan
    np.save(tmp_path / "x.npy", values)
    question = replace(rows_question, id=None, time=None, labels=())
    cohorts.explained(tmp_path / "x.npy", tmp_path / "out", real, question)
    assert "event 3: the value is missing" in cohorts.rows(tmp_path / "out")[0]["message"]


@pytest.mark.parametrize("varied", [{"tolerances": (0.01, 0.01)}, {"seeds": (1, 2, 1)}])
def test_a_variant_twice_is_refused(rows_question: BulkQuestion, varied: dict[str, Any]) -> None:
    with pytest.raises(CallerError, match="is given more than once"):
        replace(rows_question, **varied)


def test_tolerances_that_are_close_have_their_own_names(rows_question: BulkQuestion) -> None:
    question = replace(rows_question, tolerances=(0.01, 0.010000001))
    assert [each.name for each in question.variants] == [
        "pruning_tolerance=0.01",
        "pruning_tolerance=0.010000001",
    ]
