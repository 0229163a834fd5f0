"""The README's examples run as they stand, but for the port."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sequela_client.cli.main import main
from serving import Serving, embedded

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
DEMO = ROOT / "service" / "sequela" / "demo"


def blocks(language: str) -> list[str]:
    """What stands in the README's fences of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name."""
    shutil.copy(DEMO / "models" / "account_takeover" / "1" / "model.onnx", tmp_path)
    shutil.copy(DEMO / "models" / "account_takeover" / "1" / "schema.json", tmp_path)
    shutil.copy(DEMO / "alerts" / "takeover-20.json", tmp_path / "alert.json")
    schema = json.loads((tmp_path / "schema.json").read_text())
    (tmp_path / "average.json").write_text(json.dumps(schema["background"]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_examples_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, against a server started as the README says; the numbers they print add up."""
    with Serving(embedded(model_repository=DEMO / "models")) as serving:
        known: dict[str, object] = {}
        for block in blocks("python"):
            exec(compile(block.replace("localhost:50051", serving.bound.grpc), "README.md", "exec"), known)
    printed = capsys.readouterr().out
    assert "events pruned" in printed
    assert "t=0: +" in printed
    assert "cell 0 " in printed or "cell -" in printed
    explanation = known["e"]
    assert len(explanation.cells) >= 9  # type: ignore[attr-defined]


def test_the_commands_run(folder: Path) -> None:
    """`sequela explain` with its own server draws the tables and writes the file; `sequela serve` knows its flags."""
    commands = [line[2:].split("#")[0] for block in blocks("console") for line in block.splitlines()]
    explain = next(line for line in commands if line.startswith("sequela explain"))
    result = CliRunner().invoke(main, shlex.split(explain)[1:])
    assert result.exit_code == 0, result.output
    assert "Events" in result.output
    assert (folder / "explained.csv").read_text().count("\n") > 10
    serve = next(line for line in commands if line.startswith("sequela serve"))
    assert (ROOT / shlex.split(serve)[-1]).is_dir()


def test_the_make_targets_exist() -> None:
    """Every `make` target the README names stands in the Makefile."""
    targets = set(re.findall(r"make ([a-z-]+)", README))
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"demo", "test", "test-all", "models", "bench"} <= targets <= known


def test_links_lead_somewhere() -> None:
    """Files that the README points to are there."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
