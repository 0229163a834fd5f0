"""Files as spreadsheets, pandas and scripts write them, explained by the command."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from click.testing import CliRunner
from field.parts import built, pooled
from field.truth import Truth, truth
from sequela_client.cli.main import main
from serving import Serving

ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
PLAIN = "a,b,c\n1,2,3\n4,5,6\n7,8,9\n"
BOM = b"\xef\xbb\xbf"
NODES, STORED = pooled("x")
POOLED = built(NODES, STORED)
NAMES = {"features": [{"name": name, "columns": {"x": [at]}} for at, name in enumerate("abc")]}
TRUE = truth(POOLED, np.array(ROWS))

Explained = Callable[..., Any]
"""From a file's name and content to the JSON of its explanation, or to what the command says instead."""


class Refused(Exception):
    """What the command wrote, with the exit code for a wrong request."""


@pytest.fixture
def explained(server: Serving, tmp_path: Path) -> Explained:
    """Runs `sequela explain`; the model's features are a, b and c, or unnamed where `names` is empty."""

    def explain(name: str, content: str | bytes, names: Any = NAMES) -> Any:
        sequence, model = tmp_path / name, tmp_path / "model.onnx"
        sequence.write_bytes(content if isinstance(content, bytes) else content.encode())
        model.write_bytes(POOLED)
        model.with_name("schema.json").write_text(json.dumps(names))
        np.save(tmp_path / "background.npy", np.zeros(3))
        options = [
            "--pruning-tolerance",
            "0",
            "--target-standard-error",
            "0",
            "--level",
            "event",
            "--json",
            "-",
        ]
        files = [
            "--model",
            str(model),
            "--sequence",
            str(sequence),
            "--background",
            str(tmp_path / "background.npy"),
        ]
        # Without the log of the server in this process, which would be mixed with the command's output.
        with structlog.testing.capture_logs():
            result = CliRunner().invoke(main, ["explain", "--server", server.bound.grpc, *files, *options])
        if result.exit_code == 0:
            return json.loads(result.stdout)
        assert result.exit_code == 1, result.output
        raise Refused(result.output.replace(str(tmp_path), ""))

    return explain


def assert_explains(answer: Any, wanted: Truth = TRUE) -> None:
    """Score, number of events and their attributions, oldest first."""
    level = next(value for key, value in answer.items() if key in ("eventLevel", "event_level"))
    found = [
        each["values"][0] for each in sorted(level["attributions"], key=lambda each: each.get("lastEvent", 0))
    ]
    np.testing.assert_allclose(found, wanted.events, atol=1e-5)


def or_refused(ask: Callable[[], Any], words: str) -> Any:
    """What is asked for; None where it is refused in a message that holds one of these words."""
    try:
        return ask()
    except Refused as error:
        if not re.search(words, str(error), re.IGNORECASE):
            pytest.fail(f"refused, but not helpfully: {error}")
    return None


def npy(array: Any) -> bytes:
    held = io.BytesIO()
    np.save(held, array)
    return held.getvalue()


RIGHT: dict[str, tuple[str, str | bytes]] = {
    "a header and rows": ("x.csv", PLAIN),
    # pandas-dev/pandas#4793 and #13497, docling-project/docling#4097
    "a byte order mark": ("x.csv", BOM + PLAIN.encode()),
    "a byte order mark before a quote": ("x.csv", BOM + PLAIN.replace("a,b,c", '"a","b","c"').encode()),
    "lines of Windows": ("x.csv", PLAIN.replace("\n", "\r\n")),
    "lines of old Macs": ("x.csv", PLAIN.replace("\n", "\r")),
    "a blank line": ("x.csv", PLAIN.replace("4,", "\n4,")),
    "blanks beside numbers": ("x.csv", "a, b, c\n1, 2, 3\n 4,5,6\n7,8 ,9\n"),
    "a name over two lines": ("x.csv", PLAIN.replace("a,", '"a\nx",')),
    "an ending in capitals": ("X.CSV", PLAIN),
    "rows of JSON": ("x.json", json.dumps(ROWS)),
    "columns first in memory": ("x.npy", npy(np.asfortranarray(ROWS))),
    "another byte order": ("x.npy", npy(np.asarray(ROWS, ">f4"))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_ordinary_files(explained: Explained, name: str) -> None:
    """The rows as they stand in the file."""
    file, content = RIGHT[name]
    assert_explains(explained(file, content, {} if "over two lines" in name else NAMES))


REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "a header in the midst": ("x.csv", PLAIN.replace("4,5,6", "a,b,c"), "line 3"),
    "a row of totals": ("x.csv", PLAIN + "Total,,18\n", "line 5"),
    "a row of units": ("x.csv", PLAIN.replace("1,2,3", "EUR,h,km"), "line 2"),
    # pandas-dev/pandas#38830, #15203: a comma at the end of data rows moves all columns there.
    "a comma at the end of rows": ("x.csv", PLAIN.replace("3\n", "3,\n"), "line 2"),
    "thousands": ("x.csv", PLAIN.replace("1,2", '"1,000",2'), "1,000"),
    "a currency": ("x.csv", PLAIN.replace("1,2", "$1,2"), r"\$1"),
    "per cent": ("x.csv", PLAIN.replace("1,2", "1%,2"), "1%"),
    "a value that is missing": ("x.csv", PLAIN.replace("5", "NA"), "line 3"),
    "no events": ("x.csv", "a,b,c\n", "no events"),
    "an array cut off": ("x.npy", npy(ROWS)[:-8], "."),
    "a spreadsheet": ("x.xlsx", b"PK", "end in"),
    "lists of two lengths": ("x.json", "[[1, 2], [3]]", "differ in length"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused_say_where(explained: Explained, name: str) -> None:
    """The line, or the value."""
    file, content, words = REFUSED[name]
    with pytest.raises(Refused, match=words):
        explained(file, content)


# needs: files, a first line that is neither all names nor all numbers. Before: it was taken for a header, and the
# oldest event was dropped. The kind: pandas-dev/pandas#17483, #33188, pytorch/tutorials#1708, bids-standard/pybids#570
@pytest.mark.parametrize("first", ["1,NA,3", "-,2,3", ",2,3", "1,2,n/a"])
def test_a_first_event_with_a_gap_is_not_a_header(explained: Explained, first: str) -> None:
    """Refused, with the line; three events are never two."""
    with pytest.raises(Refused, match=r"line 1|the first row has .* use --header or --no-header"):
        explained("x.csv", f"{first}\n4,5,6\n7,8,9\n", {})


# needs: files, a row of nothing but empty cells is an event of which nothing is known, not a blank line. Before: it was
# dropped. pandas-dev/pandas#12443, capitalone/DataProfiler#196
@pytest.mark.parametrize("cells", [",,", '"","",""'])
def test_a_row_of_empty_cells_is_not_a_blank_line(explained: Explained, cells: str) -> None:
    """Refused, with the line."""
    with pytest.raises(Refused, match="line 3"):
        explained("x.csv", PLAIN.replace("4,5,6", cells))


# needs: files, Python's own notation is not that of data files. Before: 1_0 was read as ten, and a header of months was
# read as the oldest event. pyexcel/pyexcel#138, weecology/retriever#1327, kinverarity1/lasio#592
def test_underscores_are_no_digits(explained: Explained) -> None:
    """A value with one is refused; names with one are names."""
    with pytest.raises(Refused, match="1_0"):
        explained("x.csv", PLAIN.replace("1,2", "1_0,2"))
    months = PLAIN.replace("a,b,c", "2024_01,2024_02,2024_03")
    names = ("2024_01", "2024_02", "2024_03")
    features = [{"name": name, "columns": {"x": [at]}} for at, name in enumerate(names)]
    assert_explains(explained("months.csv", months, {"features": features}))


# needs: files, words that Python reads as numbers are names in a header. Before: the header was an event of nan and
# inf, refused by the server as such.
def test_a_header_of_words_that_look_like_numbers(explained: Explained) -> None:
    """`nan`, `inf` and `infinity` may be columns' names."""
    answer = or_refused(lambda: explained("x.csv", PLAIN.replace("a,b,c", "nan,inf,infinity"), {}), "line 1")
    if answer is not None:
        assert_explains(answer)


# needs: files, an object with the same key twice. Before: the last one won, without a word. serde-rs/json#762,
# hjson/hjson-js#35
def test_a_key_given_twice(explained: Explained) -> None:
    """Refused, with the key."""
    with pytest.raises(Refused, match="x"):
        explained("x.json", '{"x": [[1, 2, 3]], "x": [[4, 5, 6]]}')


# needs: files, keys beside `inputs` that nobody reads. Before: `lables` was dropped, and the explanation had no labels.
def test_a_misspelt_key(explained: Explained) -> None:
    """Refused, with the keys there are."""
    with pytest.raises(Refused, match="lables"):
        explained("x.json", json.dumps({"inputs": ROWS, "lables": {"queue": "a"}}))


# needs: files, what other programs write. Before: refused in riddles ("'' is not a number", "not an array of numbers",
# "Extra data", "'utf-8' codec can't decode byte 0xff").
OTHERS: dict[str, tuple[str, str | bytes]] = {
    "a comma at the end of every line": ("x.csv", PLAIN.replace("\n", ",\n")),
    "Excel's line about the separator": ("x.csv", "sep=,\n" + PLAIN),
    "semicolons": ("x.csv", PLAIN.replace(",", ";")),
    "tabs": ("x.tsv", PLAIN.replace(",", "\t")),
    "comments": ("x.csv", "# made by hand\n" + PLAIN),
    "UTF-16": ("x.csv", PLAIN.encode("utf-16")),
    "compressed": ("x.csv.gz", gzip.compress(PLAIN.encode())),
    "a byte order mark before JSON": ("x.json", BOM + json.dumps(ROWS).encode()),
    "a row of JSON a line": ("x.jsonl", "\n".join(map(json.dumps, ROWS))),
    "records": ("x.json", json.dumps([dict(zip("abc", row, strict=True)) for row in ROWS])),
    "columns and data": ("x.json", json.dumps({"columns": list("abc"), "index": [0, 1, 2], "data": ROWS})),
    "columns by index": (
        "x.json",
        json.dumps({name: {str(row): ROWS[row][at] for row in range(3)} for at, name in enumerate("abc")}),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_other_programs_write(explained: Explained, name: str) -> None:
    """The same rows, or a refusal that names the format or the way out."""
    hints = "separator|delimiter|comment|encoding|utf-16|gzip|decompress|records|end in"
    answer = or_refused(lambda: explained(*OTHERS[name]), hints)
    if answer is not None:
        assert_explains(answer)
