"""docs/files.md: every example is read, and the tables name what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from client import file_models as models
from sequela_client.attribution_rows import COLUMNS
from sequela_client.cli.main import main
from sequela_client.files import load
from sequela_client.model_inputs import file_inputs
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.rows import RowOptions
from sequela_client.resources import ModelFeature, ModelInput

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
BLOCKS = re.findall(r"```(csv|json)\n(.*?)```", PAGE, flags=re.DOTALL)
LAYOUT = Layout(
    (ModelInput("x", "events", "float32", 2),),
    tuple(
        ModelFeature(name, "", "", "", False, "numeric", (), {"x": (at,)})
        for at, name in enumerate(("amount", "hour"))
    ),
)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_examples_hold_the_same_events(tmp_path: Path, number: int) -> None:
    """All of them, whatever their kind; the background's is one row."""
    kind, content = BLOCKS[number]
    path = tmp_path / f"example.{kind}"
    path.write_text(content)
    options = RowOptions(entity="account=A" if "account" in content else None)
    loaded = load(path)
    if content.startswith(",0"):
        base = file_inputs.background(loaded, LAYOUT, options, file_inputs.Notes())
        np.testing.assert_array_equal(base.rows, [[55.2, 13.1]])
        return
    given = file_inputs.sequence(loaded, LAYOUT, options, file_inputs.Notes())
    np.testing.assert_array_equal(given.inputs, [[12.5, 7], [840, 23]])
    assert len(given.events) == (2 if "time" in content else 0)


def test_the_command_of_the_page_runs(tmp_path: Path, real: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long format, with the page's own options."""
    model = models.written(tmp_path / "m", models.weighted(2), models.features("amount", "hour"))
    (tmp_path / "events.csv").write_text(
        next(content for _, content in BLOCKS if content.startswith("account"))
    )
    (tmp_path / "zeros.json").write_text("[0, 0]")
    monkeypatch.chdir(tmp_path)
    words = (
        re.findall(r"^\$ sequela (.*)$", PAGE, flags=re.MULTILINE)[0]
        .replace("model.onnx", str(model))
        .split()
    )
    done = CliRunner().invoke(main, [*words, "--server", real, "--background", "zeros.json", "--json", "-"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["caller_id"], told["length"]) == ("A", 2)


def test_every_option_and_column_is_there() -> None:
    """The page names every column of the CSV and every option about files."""
    for name in COLUMNS:
        assert f"`{name}`" in PAGE
    known = {option for param in main.commands["explain"].params for option in param.opts}
    for option in re.findall(r"`(--[a-z-]+)", PAGE):
        assert option in known or option == "--no-header", option
