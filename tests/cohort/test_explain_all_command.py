"""`sequela explain-all`: its lines, its exit codes, and what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from client.command_runs import Run
from cohort import cohorts
from sequela_client.cli.main import main
from sequela_client.cohort import run as bulk
from sequela_client.cohort.progress_display import Lines, duration
from sequela_client.cohort.run import Progress

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("pyarrow", "duckdb"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
import sequela_client
from sequela_client.cli.main import main
main()
"""


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    events = cohorts.accounts(12).astype({"amount": object})
    events.loc[events.account == "a001", "amount"] = "x1"
    events.to_csv(tmp_path / "events.csv", index=False)
    np.save(tmp_path / "zeros.npy", np.zeros(2))
    return tmp_path / "events.csv"


def test_all_of_it(run: Run, data: Path, model: Path, real: str, tmp_path: Path) -> None:
    """Events in CSV, a background in a file, variants, a failed sequence; then again, which adds nothing."""
    arguments = [
        *("explain-all", data, "--entity", "account", "--time", "when", "--label", "fraud", "--seeds", 2),
        *("--pruning-tolerance", 0.01, "--level", "event", "--background", tmp_path / "zeros.npy"),
        *("--model", model, "--server", real, "--out", tmp_path / "out", "--part-rows", 5),
    ]
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "24 rows added in " in done.stdout
    assert "  22 explained\n  2 failed: NOT_A_NUMBER 2\n" in done.stdout
    assert (
        "    NOT_A_NUMBER, for example sequence a001: column 'amount', event 1: 'x1' is not a number\n"
        in done.stdout
    )
    rows = cohorts.rows(tmp_path / "out")
    assert [(row["id"], row["variant"], row["seed"]) for row in rows[:2]] == [
        ("a000", "seed=0", 0),
        ("a000", "seed=1", 1),
    ]
    assert {row["pruning"]["tolerance"] for row in rows if row["pruning"]} == {0.01}
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) == 5
    assert "0 rows added" in run(*arguments).stdout


def test_nothing_could_be_explained(run: Run, model: Path, real: str, tmp_path: Path) -> None:
    """The command fails then, also when it is repeated, and shows the first row of each reason with the way out."""
    text = cohorts.accounts(3).to_csv(index=False, sep=";", decimal=",")
    (tmp_path / "commas.csv").write_text(text)
    arguments = (
        "explain-all",
        tmp_path / "commas.csv",
        "--entity",
        "account",
        "--time",
        "when",
        "--model",
        model,
    )
    failing = (*arguments, "--server", real, "--out", tmp_path / "out")
    for _ in range(2):
        done = run(*failing)
        assert (done.exit_code, done.stderr.splitlines()[-1]) == (
            1,
            "error: every sequence failed, for the reasons above",
        )
        assert "  0 explained\n  3 failed: NOT_A_NUMBER 3\n" in done.stdout
        assert "for example sequence a000: column 'amount', event 1: " in done.stdout
        assert (
            "has a decimal comma, but the file was read with decimal points; use --decimal ,\n" in done.stdout
        )
    below = run(
        *arguments, "--server", real, "--out", tmp_path / "below", "--decimal", ",", "--first-positive", 9
    )
    assert below.exit_code == 0, below.output
    assert "  3 below the minimum score" in below.stdout


def test_exit_codes(
    run: Run, data: Path, model: Path, real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 for what the caller has to change, 2 for the command line, 3 for a server that is gone."""
    monkeypatch.setattr(bulk, "PATIENCE_SECONDS", 0.3)
    base = ("explain-all", data, "--entity", "account", "--out", tmp_path / "out")
    assert run(*base, "--model", tmp_path / "no.onnx").exit_code == 1
    assert run(*base, "--model", "fraud").exit_code == 1
    absent = run(*base, "--model", "fraud/3", "--server", real)
    assert absent.exit_code == 1
    assert "no model is named 'fraud/3', and there is no file 'fraud/3'" in absent.stderr
    assert run(*base).exit_code == 2
    assert run(*base, "--model", model, "--secure").exit_code == 2
    assert run(*base, "--model", model, "--server", "a:1", "--workers", 2).exit_code == 2
    gone = run(*base, "--model", model, "--server", "localhost:9")
    assert (gone.exit_code, gone.stderr.count("\n")) == (3, 1)


def test_lines_where_there_is_no_terminal() -> None:
    """One every ten seconds, with the rate and the time that is left; the end has one if the last is older."""
    now, lines = iter([0.0, 5.0, 10.0, 12.0, 40.0, 100.0]), list[str]()
    shown = Lines(10.0, lines.append, lambda: next(now))
    for done in (50, 100, 120, 400, 900):
        shown.show(Progress(1000, 100, done, 3))
        if done == 400:
            shown.end()
    assert lines == [
        "200 of 1,000 rows, 10.0/s, 1 min 20 s left, 3 failed",
        "500 of 1,000 rows, 10.0/s, 50 s left, 3 failed",
        "1,000 of 1,000 rows, 9.0/s, 3 failed",
    ]


def test_the_last_line_is_not_left_out() -> None:
    now, lines = iter([0.0, 1.0, 2.0]), list[str]()
    shown = Lines(10.0, lines.append, lambda: next(now))
    shown.show(Progress(3, 0, 3))
    shown.end()
    assert lines == ["3 of 3 rows, 1.5/s, 0 failed"]


def test_durations() -> None:
    assert [duration(each) for each in (7.2, 59.6, 3599, 7500)] == [
        "7 s",
        "1 min 0 s",
        "59 min 59 s",
        "2 h 5 min",
    ]


@pytest.mark.slow
def test_without_the_extra(model: Path, data: Path, tmp_path: Path) -> None:
    """Everything else works without pyarrow and duckdb, and this command says what to install."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def blocked(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BLOCKED, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    assert "explain-all" in blocked("--help").stdout
    assert "--first-positive" in blocked("explain-all", "--help").stdout
    refused = blocked("explain-all", data, "--model", model, "--out", tmp_path / "out")
    assert refused.returncode == 1
    assert "pip install '.[cohort]'" in refused.stderr
