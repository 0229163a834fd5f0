"""Whose the rows of a file are, when they happened and in which order: through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from client import file_models as models
from client.command_runs import Run
from client.file_answers import Ask, refused, scored, text, zeros

LONG = """account,when,amount,hour
A,2026-01-01 10:00,1.5,10
B,2026-01-01 11:00,-2.0,11
A,2026-01-02 12:30,0.25,12.5
B,2026-01-03 09:00,3.0,9
A,2026-01-03 13:00,-1.0,13
"""


def test_the_long_format(ask: Ask, tmp_path: Path) -> None:
    """One of several sequences is explained when it is named; else they are listed."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("amount", "hour"))
    path, more = text(tmp_path, "long.csv", LONG), zeros(tmp_path, 2)
    said = refused(ask(model, path, *more))
    assert (
        "column 'account' has 2 values (A, B), so there seem to be several sequences; --entity account=A"
        in said
    )
    done = ask(model, path, *more, "--entity", "account=A", "--time", "when")
    right = models.score(model, [[1.5, 10], [0.25, 12.5], [-1, 13]])
    assert scored(done) == (pytest.approx(right, abs=1e-6), 3)
    told = json.loads(done.stdout)
    assert told["caller_id"] == "A"
    assert told["event_values"][0]["info"]["time"] == "2026-01-03T13:00:00+00:00"
    assert "no row has 'C'" in refused(ask(model, path, *more, "--entity", "account=C"))
    whole = ask(model, path, *more, "--columns", "amount,hour")
    right = models.score(model, [[1.5, 10], [-2, 11], [0.25, 12.5], [3, 9], [-1, 13]])
    assert scored(whole) == (pytest.approx(right, abs=1e-6), 5)


def test_blocks_of_rows_that_some_column_tells_apart(ask: Ask, tmp_path: Path) -> None:
    """A column that names one owner after the other, whatever it is called; parts of a calendar are no owners."""
    model = models.written(tmp_path / "m", models.weighted(1), models.features("amount"))
    content = "{},amount\n1,1.5\n1,2\n2,3\n2,-4\n"
    path, more = text(tmp_path, "t.csv", content.format("engine")), zeros(tmp_path, 1)
    assert "column 'engine' has 2 values (1, 2), so there seem to be several sequences" in refused(
        ask(model, path, *more)
    )
    first = ask(model, path, *more, "--entity", "engine=1")
    assert scored(first) == (pytest.approx(models.score(model, [[1.5], [2]]), abs=1e-6), 2)
    days = text(tmp_path, "days.csv", content.format("weekday"))
    assert scored(ask(model, days, *more))[1] == 4


def test_a_time_that_counts(ask: Ask, run: Run, real: str, tmp_path: Path) -> None:
    """A column of seconds since the start is shown as it stands, beside the values; numbers since 1970 are dates."""
    model, more = (
        models.written(tmp_path / "m", models.weighted(1), models.features("amount")),
        zeros(tmp_path, 1),
    )
    path = text(tmp_path, "t.csv", "clock,amount\n250,1.5\n500,-3\n")
    done = ask(model, path, *more, "--time", "clock")
    assert [event["info"]["display"] for event in json.loads(done.stdout)["event_values"]] == [
        {"clock": "500"},
        {"clock": "250"},
    ]
    told = run("explain", "--server", real, "--model", model, "--sequence", path, *more, "--time", "clock")
    assert "clock 500 · amount -3.00" in told.stdout
    since = text(tmp_path, "since.csv", "timestamp,amount\n1767225600000,1.5\n1767225660000,-3\n")
    done = ask(model, since, *more)
    assert "times from column 1 (timestamp), in milliseconds since 1970" in done.stderr
    assert json.loads(done.stdout)["event_values"][0]["info"]["time"] == "2026-01-01T00:01:00+00:00"


def test_the_newest_event_first(ask: Ask, tmp_path: Path) -> None:
    """Time that goes back is refused, and sorted when that is asked for."""
    model = models.written(tmp_path / "m", models.weighted(1), models.features("amount"))
    path, more = text(tmp_path, "t.csv", "time,amount,ref\n300,3,c\n200,-2,b\n100,1,a\n"), zeros(tmp_path, 1)
    said = refused(ask(model, path, *more))
    assert "line 3: time goes back from 300 to 200; the oldest event must come first. --sort-by time" in said
    done = ask(model, path, *more, "--sort-by", "time", "--id", "ref")
    assert scored(done) == (pytest.approx(models.score(model, [[1], [-2], [3]]), abs=1e-6), 3)
    assert [event["info"]["id"] for event in json.loads(done.stdout)["event_values"]] == ["c", "b", "a"]
    assert scored(done)[0] != pytest.approx(models.score(model, [[3], [-2], [1]]), abs=1e-3)


def test_an_index_that_goes_back(ask: Ask, tmp_path: Path) -> None:
    """pandas' index of dates, or one that counts down, says that the newest event comes first."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("a", "b"))
    for first, then, last in (("2026-01-03", "2026-01-02", "2026-01-01"), ("9", "8", "7")):
        path = text(tmp_path, "t.csv", f",a,b\n{first},1.5,2\n{then},3.5,-4\n{last},0,1\n")
        assert f"goes back from {first} to {then}" in refused(ask(model, path, *zeros(tmp_path, 2)))
        done = ask(model, path, *zeros(tmp_path, 2), "--sort-by", "1")
        right = models.score(model, [[0, 1], [3.5, -4], [1.5, 2]])
        assert scored(done) == (pytest.approx(right, abs=1e-6), 3)


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ("03.02.2026", "02.02.2026", "goes back from 03.02.2026 to 02.02.2026"),
        ("13/02/2026 10:00", "12/02/2026 11:00", "goes back from 13/02/2026 10:00 to 12/02/2026 11:00"),
        ("2026/02/03", "2026/02/02", "goes back"),
        ("03/02/2026", "02/02/2026", "goes back"),
        ("03/02/2026", "02/03/2026", ""),
        ("01.02.2026", "02.02.2026", ""),
    ],
)
def test_dates_as_people_write_them(ask: Ask, tmp_path: Path, first: str, then: str, said: str) -> None:
    """Whatever the column is called; where day and month may be either, only what goes back in both is refused."""
    model = models.written(tmp_path / "m", models.weighted(1), models.features("amount"))
    path = text(tmp_path, "t.csv", f"Buchungstag,amount\n{first},1.5\n{then},-3\n")
    done = ask(model, path, *zeros(tmp_path, 1))
    if said:
        assert said in refused(done)
        return
    assert scored(done) == (pytest.approx(models.score(model, [[1.5], [-3]]), abs=1e-6), 2)
    known = json.loads(done.stdout)["event_values"][0]["info"]["time"]
    assert known == (None if "/" in first else "2026-02-02T00:00:00+00:00")


def test_a_column_of_dates_beside_values_without_names(ask: Ask, tmp_path: Path) -> None:
    """`date,value` for a model whose feature nobody named: a date is no number that it takes."""
    model = models.written(tmp_path / "m", models.weighted(1))
    path = text(tmp_path, "t.csv", "date,value\n2026-02-01,1.5\n2026-02-02,-3\n")
    done = ask(model, path, *zeros(tmp_path, 1))
    assert scored(done) == (pytest.approx(models.score(model, [[1.5], [-3]]), abs=1e-6), 2)
    assert done.stderr == "Note: t.csv: times from column 1 (date)\n"
