"""Sequences and backgrounds from files, and what is said of bad ones."""

import contextlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sequela_client import BackgroundValues, CallerError, Sequence
from sequela_client.files import is_data_file, read_background, read_sequence
from sweeps import examples

ROWS = np.array([[1.5, 2], [3, 4], [5, 6]])


def written(folder: Path, name: str, text: str) -> Path:
    """A file of this text."""
    path = folder / name
    path.write_text(text)
    return path


def values(given: Sequence | BackgroundValues, name: str = "") -> np.ndarray:
    """The array read, of one input."""
    inputs = given.inputs if isinstance(given, Sequence) else given.rows
    return np.asarray(inputs[name] if name else inputs)  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bare.json", json.dumps(ROWS.tolist())),
        ("inputs.json", json.dumps({"inputs": ROWS.tolist()})),
        ("plain.csv", "1.5,2\n3,4\n5,6\n"),
        ("headed.csv", "amount,age\n1.5,2\n\n3,4\n5,6"),
        ("excel.CSV", "\ufeffamount,age\r\n1.5,2\r\n3,4\r\n5,6\r\n"),
    ],
)
def test_text_forms(tmp_path: Path, name: str, text: str) -> None:
    """Every form holds the same rows, oldest first; headers, blank lines and byte order marks are skipped."""
    np.testing.assert_array_equal(values(read_sequence(written(tmp_path, name, text))), ROWS)


def test_numpy_forms(tmp_path: Path) -> None:
    """Npy holds one array with its type, npz one for each input."""
    np.save(tmp_path / "s.npy", ROWS.astype(np.float32))
    assert values(read_sequence(tmp_path / "s.npy")).dtype == np.float32
    np.savez(tmp_path / "s.npz", x=ROWS, ids=np.array([1, 2, 3]))
    read = read_sequence(tmp_path / "s.npz")
    np.testing.assert_array_equal(values(read, "x"), ROWS)
    assert values(read, "ids").dtype == np.int64


def test_an_alert_brings_what_is_known_of_it(tmp_path: Path) -> None:
    """Id, labels, times and displayed values are read; keys that nobody knows are left alone."""
    alert = {
        "id": "alert-1",
        "labels": {"account": 7},
        "truth": {"events": [0]},
        "inputs": {"x": ROWS.tolist(), "ids": [[1], [2], [3]]},
        "events": [{"id": "a", "time": "2026-04-02T07:35:05Z", "display": {"amount": "1.50 EUR"}}, {}, {}],
    }
    read = read_sequence(written(tmp_path, "alert.json", json.dumps(alert)))
    assert (read.id, read.labels) == ("alert-1", {"account": "7"})
    assert read.events[0].time == datetime(2026, 4, 2, 7, 35, 5, tzinfo=UTC)
    assert read.events[0].display == {"amount": "1.50 EUR"}
    assert read.events[1].time is None
    assert values(read, "ids").dtype == np.int64


def test_backgrounds(tmp_path: Path) -> None:
    """A background file is read alike, and may bring a mean event."""
    text = json.dumps({"inputs": {"x": ROWS.tolist()}, "mean_event": {"x": [3, 4]}})
    read = read_background(written(tmp_path, "b.json", text))
    np.testing.assert_array_equal(values(read, "x"), ROWS)
    assert isinstance(read.mean_event, dict)
    np.testing.assert_array_equal(read.mean_event["x"], [3, 4])
    assert values(read_background(written(tmp_path, "b.csv", "1,2"))).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "1,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
        ("a.csv", "1,2\n3\n", "line 2 has 1 columns, not 2"),
        ("a.csv", "amount,age\n", "no events"),
        ("a.csv", "", "no events"),
        ("a.json", "{", "a.json"),
        ("a.json", "[[1], [2, 3]]", "rows differ in length"),
        ("a.json", '{"inputs": {"x": [["y"]]}}', "input x: not an array of numbers"),
        ("a.json", '{"inputs": [[1]], "events": [{"time": "soon"}]}', "soon"),
        ("a.json", '{"inputs": [[1]], "events": 5}', "a.json"),
        ("a.json", '{"inputs": [[1]], "labels": ["x"]}', "a.json"),
        ("a.npy", "no", "a.npy"),
        ("a.npz", "no", "a.npz"),
        ("a.dat", "1", "must end in .json, .csv, .npy, .npz"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, text: str, what: str) -> None:
    """The error names the file and what is wrong in it."""
    with pytest.raises(CallerError, match=re.escape(what)) as failed:
        read_sequence(written(tmp_path, name, text))
    assert name in str(failed.value)


ALERTS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["inputs", "events", "id", "labels", "time", "display", "x"]), inner, max_size=3
        )
    ),
)


@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
@given(ending=st.sampled_from([".json", ".jsonl", ".csv", ".npy", ".npz"]), content=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes
) -> None:
    """Whatever a file holds, only the client's own error escapes."""
    path = tmp_path_factory.mktemp("any") / f"file{ending}"
    for start in (b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04"):
        path.write_bytes(start + content)
        with contextlib.suppress(CallerError):
            read_sequence(path)


@settings(deadline=None, max_examples=examples(50), suppress_health_check=[HealthCheck.too_slow])
@given(alert=ALERTS)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, alert: object) -> None:
    """So with JSON of any shape, for sequences and for backgrounds."""
    path = written(tmp_path_factory.mktemp("any"), "file.json", json.dumps(alert))
    for read in (read_sequence, read_background):
        with contextlib.suppress(CallerError):
            read(path)


def test_nesting_without_end(tmp_path: Path) -> None:
    """JSON nested deeper than Python can follow is refused like any other."""
    with pytest.raises(CallerError, match=r"deep\.json"):
        read_sequence(written(tmp_path, "deep.json", "[" * 100_000))


def test_pickles_are_refused(tmp_path: Path) -> None:
    """An npy file that would run code on loading is not loaded."""
    np.save(tmp_path / "s.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(CallerError, match="allow_pickle"):
        read_sequence(tmp_path / "s.npy")


def test_a_missing_file(tmp_path: Path) -> None:
    """Named, with the system's reason."""
    with pytest.raises(CallerError, match=r"nowhere\.csv: No such file"):
        read_sequence(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("text", "is_file"), [("b.json", True), ("b.NPZ", True), ("usual", False), ("v1.2", False)]
)
def test_which_names_are_files(text: str, is_file: bool) -> None:
    """A background is a file by its ending, else a registered name."""
    assert is_data_file(text) is is_file
