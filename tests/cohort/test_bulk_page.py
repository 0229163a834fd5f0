"""docs/bulk.md: its examples run, and its table has the columns of the schema."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from client import file_models
from cohort import cohorts
from sequela_client.cli.main import main
from sequela_client.cohort.schema import SCHEMA, VERSION

PAGE = (Path(__file__).parents[2] / "docs" / "bulk.md").read_text()
OUTPUT = PAGE.split("\n## The output")[1].split("\n## ")[0]


@pytest.mark.slow
def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str) -> None:
    """Scripts write the inputs, and commands explain them; the same two sequences have the same events from each."""
    monkeypatch.chdir(tmp_path)
    schema = {**file_models.features("amount", "hour"), "background": {"x": [0, 0]}}
    Path("model.onnx").write_bytes(file_models.weighted(2))
    Path("schema.json").write_text(json.dumps(schema))
    spoken = {"SERVERS": [real]}
    for kind, text in re.findall(r"```(python)\n(.*?)```", PAGE, re.DOTALL):
        assert kind
        exec(text, spoken)
    outs = []
    for command in re.findall(r"^\$ sequela (explain-all .*)$", PAGE, re.MULTILINE):
        words = shlex.split(command)
        done = CliRunner().invoke(main, [*words, "--server", real])
        assert done.exit_code == 0, (command, done.output)
        outs.append(Path(words[-1]))
    answers = {str(out): {row["id"]: row["score"] for row in cohorts.rows(out)} for out in outs}
    assert all(row["status"] == "explained" for out in outs for row in cohorts.rows(out))
    alike = {name: found for name, found in answers.items() if name != "from-npy"}
    assert len(alike) == 6
    assert all(found == alike["cohort"] for found in alike.values())


def test_the_table_of_columns() -> None:
    """In the order of the schema, with its version."""
    cells = re.findall(r"^\| (`[^|]*) \|", OUTPUT, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(cells)) == SCHEMA.names
    assert f"Schema version {VERSION}." in OUTPUT


def test_reasons_are_those_of_the_code() -> None:
    """Every code that the client itself gives to a failed row is in the table."""
    source = Path(__file__).parents[2] / "clients" / "python" / "sequela_client" / "cohort"
    text = "\n".join((source / name).read_text() for name in ("flaws.py", "values.py"))
    names = {
        each for line in re.findall(r"^[A-Z_]+, .* = (\".*)$", text, re.MULTILINE) for each in eval(line)
    }
    told = set(re.findall(r"`([A-Z_]{8,})`", PAGE.split("## Rows that fail")[1].split("\n## ")[0]))
    assert names == told
