"""Text files and JSON as tables: what is seen from the file, and what is refused because it cannot be seen for sure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sequela_client import CallerError
from sequela_client.files import FileTable, TextFormat, load
from sequela_client.files.file_table import numbers

ROWS = [[1.5, 2.25], [3.0, 4.5], [-5.0, 0.125]]


def table(folder: Path, name: str, text: str | bytes, **said: object) -> FileTable:
    """The table in a file of this text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = load(path, TextFormat(**said)).values  # type: ignore[arg-type]
    assert isinstance(found, FileTable)
    return found


def refusal(folder: Path, name: str, text: str | bytes, **said: object) -> str:
    """What is said of a file that is refused."""
    with pytest.raises(CallerError) as failed:
        numbers(table(folder, name, text, **said))
    assert str(failed.value).startswith(str(folder / name))
    return str(failed.value)


BODY = "1.5,2.25\n3.0,4.5\n-5.0,0.125\n"
TEXTS: dict[str, str | bytes] = {
    "commas": BODY,
    "header": "a,b\n" + BODY,
    "semicolons": "a;b\n" + BODY.replace(",", ";"),
    "semicolons, decimal commas": "a;b\n" + BODY.replace(",", ";").replace(".", ","),
    "tabs": BODY.replace(",", "\t"),
    "tabs, decimal commas": BODY.replace(",", "\t").replace(".", ","),
    "bars": BODY.replace(",", "|"),
    "spaces, as numpy.savetxt writes": BODY.replace(",", " "),
    "many spaces": "  1.5   2.25\n  3.0    4.5\n -5.0  0.125\n",
    "comment lines": "# made today\n#\n" + BODY,
    "a header in a comment": "# a,b\n" + BODY,
    "blank lines": "\n1.5,2.25\n\n3.0,4.5\n\n-5.0,0.125\n\n",
    "a delimiter at each line's end": "a,b,\n" + BODY.replace("\n", ",\n"),
    "the same without one in the header": "a,b\n" + BODY.replace("\n", ",\n"),
    "Windows' line ends": BODY.replace("\n", "\r\n"),
    "old Mac's line ends": BODY.replace("\n", "\r"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + BODY.encode(),
    "UTF-16": ("a,b\n" + BODY).encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + ("a,b\n" + BODY).encode("utf-16-be"),
    "UTF-32": ("a,b\n" + BODY).encode("utf-32"),
    "quotes": '"a","b"\n"1.5","2.25"\n"3.0","4.5"\n"-5.0","0.125"\n',
    "Excel's first line": "sep=;\na;b\n" + BODY.replace(",", ";"),
    "pandas' numbers for names": "0,1\n" + BODY,
    "scientific": "15e-1,2.25E0\n3,4.5\n-5,+.125\n",
    "a minus sign of print": BODY.replace("-", "\u2212"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_the_same_rows_however_they_are_written(tmp_path: Path, kind: str) -> None:
    """Delimiters, decimal marks, comments, line ends and encodings are seen from the file."""
    np.testing.assert_array_equal(numbers(table(tmp_path, "t.csv", TEXTS[kind])), ROWS)


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a missing value": ("1,2\n3,\n5,6\n", "line 2, column 2: the value is missing"),
    "a missing value, named": ("a,b\n1,2\n3,NA\n", "line 3, column 2 (b): the value is missing ('NA')"),
    "a missing value in quotes": ('1.5\n""\n2.5\n', "line 2, column 1: the value is missing"),
    "a row of missing values": ("1,2\n,\n3,4\n", "line 2, column 1: the value is missing"),
    "a missing value in the first row": ("1,NA,3\n4,5,6\n", "line 1, column 2: the value is missing"),
    "a blank line in one column": ("1.5\n\n2.5\n", "line 2 is blank"),
    "not a number": ("a,b\n1,2\n3,x\n", "line 3, column 2 (b): 'x' is not a number"),
    "infinity": ("1,inf\n", "line 1, column 2: 'inf' is not a finite number"),
    "too large": ("1,1e999\n", "larger than any number"),
    "an underscore": ("1,1_0\n2,3\n", "'1_0'"),
    "thousands in quotes": ('"1,234.5",2\n3,4\n', "thousands separators"),
    "thousands, German": ("1.234,5;2\n3;4\n", "'1.234,5'"),
    "thousands or decimals": (
        "1,234;2,345\n3;4\n",
        "line 1: '1,234' may have a decimal comma or a thousands separator",
    ),
    "both marks": ("1,5;2.5\n3;4\n", "so the decimal mark is not clear"),
    "a ragged row": ("1,2\n3,4,5\n5,6\n", "line 2 has 3 columns, not 2 (read with ',' between columns"),
    "names of rows": ("a,b\nr1,1,2\nr2,3,4\n", "the header has 2 names, and line 2 has 3 values"),
    "decimal commas between commas": ("value\n1,5\n2,5\n", "decimal commas (--decimal ,)"),
    "a header twice": ("a,b\n1,2\na,b\n3,4\n", "line 3 repeats the header"),
    "text and numbers first": ("x,2\n3,4\n", "the first row has 'x' and '2'"),
    "counting whole numbers": ("0,1,2\n3,4,5\n6,7,8\n", "the first row counts 0, 1, 2"),
    "counting from one": ("1,2,3\n0.5,1.5,2.5\n", "the first row counts 1, 2, 3"),
    "a zero over whole numbers": ("0\n1\n0\n", "the first row counts 0"),
    "an event in a comment": ("1,2\n#3,4\n5,6\n", "line 2 begins with '#' but has values"),
    "an event in a comment under a header": (
        "ref,a\n#1,3.5\nx,4.5\n",
        "line 2 begins with '#' but has values",
    ),
    "all events in comments": ("ref,a\n#1,3.5\n", "line 2 begins with '#' but has values"),
    "Latin-1": ("gr\u00f6\u00dfe,b\n1,2\n".encode("latin-1"), "line 1: byte 0xf6 is not UTF-8"),
    "UTF-16 without a mark": ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
    "a workbook": (b"PK\x03\x04rest", "an Excel workbook"),
    "gzip": (b"\x1f\x8brest", "gzip"),
    "Parquet": (b"PAR1rest", "Parquet"),
    "nothing": ("\n\n# only remarks\n", "no events"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_in_doubt_is_refused(tmp_path: Path, kind: str) -> None:
    """With the line, the column and the value, never with a row less."""
    text, what = REFUSED[kind]
    assert what in refusal(tmp_path, "t.csv", text)


def test_options_settle_what_is_in_doubt(tmp_path: Path) -> None:
    """Header, decimal mark, delimiter and encoding may be said."""
    counted = "0,1\n1,0\n"
    assert len(table(tmp_path, "t.csv", counted, header=False).rows) == 2
    assert table(tmp_path, "t.csv", counted, header=True).names == ("0", "1")
    comma = table(tmp_path, "t.csv", "1,234;2,345\n3;4\n", decimal=",")
    np.testing.assert_array_equal(numbers(comma), [[1.234, 2.345], [3, 4]])
    single = table(tmp_path, "t.csv", "value\n1,5\n2,5\n", decimal=",")
    np.testing.assert_array_equal(numbers(single), [[1.5], [2.5]])
    named = table(tmp_path, "t.csv", "gr\u00f6\u00dfe,b\n1,2\n".encode("latin-1"), encoding="latin-1")
    assert named.names == ("gr\u00f6\u00dfe", "b")
    assert "--encoding must be the name of an encoding" in refusal(
        tmp_path, "t.csv", "1,2\n", encoding="klingon"
    )
    assert "--delimiter must be one of , ; | tab space, not '/'" in refusal(
        tmp_path, "t.csv", "1/2\n", delimiter="/"
    )


def test_a_column_of_zeros_and_ones_under_a_name(tmp_path: Path) -> None:
    """Truth values as pandas writes them are 0 and 1."""
    np.testing.assert_array_equal(
        numbers(table(tmp_path, "t.csv", "a,b\nTrue,1.5\nFalse,2\n")), [[1, 1.5], [0, 2]]
    )


RECORDS = [{"a": 1.5, "b": 2.25}, {"a": 3.0, "b": 4.5}, {"a": -5.0, "b": 0.125}]
JSON: dict[str, tuple[str, object]] = {
    "records": ("t.json", RECORDS),
    "pandas' orient=split": ("t.json", {"columns": ["a", "b"], "index": [0, 1, 2], "data": ROWS}),
    "pandas' default": (
        "t.json",
        {name: {str(i): row[name] for i, row in enumerate(RECORDS)} for name in "ab"},
    ),
    "pandas' orient=index": ("t.json", {str(i): row for i, row in enumerate(RECORDS)}),
    "pandas' orient=table": ("t.json", {"schema": {"fields": []}, "data": RECORDS}),
    "columns, one of words": ("t.json", {"a": ["1.5", 3.0, -5.0], "b": [2.25, 4.5, 0.125]}),
    "an alert of records": ("t.json", {"id": "x", "inputs": RECORDS}),
    "numbers as text": ("t.json", [{name: str(value) for name, value in row.items()} for row in RECORDS]),
}


@pytest.mark.parametrize("kind", JSON)
def test_json_forms(tmp_path: Path, kind: str) -> None:
    """Records and what pandas writes are the same table, with names."""
    name, content = JSON[kind]
    found = table(tmp_path, name, json.dumps(content))
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(numbers(found), ROWS)


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    """One record a line, whatever the file's name."""
    found = table(tmp_path, name, "".join(json.dumps(row) + "\n" for row in RECORDS))
    np.testing.assert_array_equal(numbers(found), ROWS)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([{"a": 1, "b": 2}, {"a": 3}], "record 2, column 2 (b): the value is missing"),
        ([{"a": 1}, {"a": None}], "record 2, column 1 (a): the value is missing"),
        ([{"a": 1}, {"a": 10**400}], "record 2, column 1 (a)"),
        ([{"a": 1}, {"a": float("inf")}], "record 2, column 1 (a): inf is not a finite number"),
        ([{"a": 1}, {"a": [2]}], "record 2, 'a' is a list, not a single value"),
        ([{"a": 1}, 5], "record 2 is not an object"),
        ([{"inputs": [[1]]}], "as if the file had several alerts"),
        ({"columns": ["a"], "data": [[1], [2, 3]]}, "row 2 of 'data'"),
        ({"0": {"0": 1, "1": 2}, "1": {"0": 1, "1": 2}}, "rows and columns both have numbers"),
        ({"a": {"0": 1}, "b": {"1": 2}}, "different keys"),
    ],
)
def test_json_in_doubt(tmp_path: Path, content: object, what: str) -> None:
    """Nothing is guessed, nothing is left out."""
    assert what in refusal(tmp_path, "t.json", json.dumps(content))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"inputs": [[1]], "inputs": [[2]]}', "the key 'inputs' occurs twice"),
        ('[{"a": 1, "a": 2}]', "the key 'a' occurs twice"),
        ('{"inputs": [[1]], "lables": {"x": "y"}}', "the key 'lables' is not known; did you mean 'labels'?"),
        ('{"inputs": [[1]], "events": [{"times": "2026-01-01"}]}', "did you mean 'time'?"),
        ('[["1.5", "x"]]', "row 1, column 2: 'x' is not a number"),
        ("null", "not an array of numbers"),
        ('{"type": "x", "y": [1]}', "input type: not an array of numbers"),
        ("[[1, 2], [3]]", "row 2 has 1 values, row 1 has 2"),
    ],
)
def test_json_faults(tmp_path: Path, text: str, what: str) -> None:
    """Keys that are there twice or misspelt are named."""
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(CallerError, match=r"t\.json") as failed:
        load(path)
    assert what in str(failed.value)


def test_numbers_past_any_integer(tmp_path: Path) -> None:
    """JSON's numbers have no limit; what a float holds is read as one, what it does not is refused."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps([[2**70], [1]]))
    np.testing.assert_array_equal(load(path).values, [[2.0**70], [1.0]])
    path.write_text(json.dumps([[10**400], [1]]))
    with pytest.raises(CallerError, match="row 1, column 1: '1000"):
        load(path)


def test_arrays(tmp_path: Path) -> None:
    """Byte order and storage order do not matter; named fields are a table; what holds no numbers is refused."""
    path = tmp_path / "a.npy"
    for array in (np.array(ROWS, ">f4"), np.asfortranarray(ROWS), np.array(ROWS)[::1]):
        np.save(path, array)
        np.testing.assert_array_equal(load(path).values, ROWS)
    np.save(path, np.array([(1.5, 2), (3, 4)], [("a", "f4"), ("b", "i8")]))
    found = load(path).values
    assert isinstance(found, FileTable)
    assert found.names == ("a", "b")
    for wrong, what in (
        (np.array(["x"]), "texts"),
        (np.array([1j]), "complex numbers"),
        (np.array(["2026-01-01"], "M8[D]"), "dates"),
        (np.array(1.0), "a single number"),
    ):
        np.save(path, wrong)
        with pytest.raises(CallerError, match=what):
            load(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx", "a.pkl", "a.csv.gz", "a.mat"])
def test_other_kinds_are_refused_with_advice(tmp_path: Path, name: str) -> None:
    """Kinds of files that people try are named with what to do."""
    with pytest.raises(CallerError, match="cannot be read; "):
        load(tmp_path / name)
