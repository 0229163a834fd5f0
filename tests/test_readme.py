"""The README's examples run as they stand, but for the port."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner
from sequela.adapters.model_io.schema_json import read_schema
from sequela.explain.schema import Display, FeatureSchema, InputSchema, ModelSchema
from sequela_client.cli.main import main
from serving import Serving, embedded

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
DEMO = ROOT / "service" / "sequela" / "demo"


def blocks(language: str) -> list[str]:
    """What stands in the README's fences of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_examples_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, against a server started as the README says; the numbers they print add up."""
    monkeypatch.chdir(ROOT)
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


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sequela explain` with its own server draws the tables and writes the file; `sequela serve` knows its flags."""
    commands = [line[2:].split("#")[0] for block in blocks("console") for line in block.splitlines()]
    explain = next(line for line in commands if line.startswith("sequela explain"))
    monkeypatch.chdir(ROOT)
    written = tmp_path / "explained.csv"
    result = CliRunner().invoke(main, shlex.split(explain.replace("explained.csv", str(written)))[1:])
    assert result.exit_code == 0, result.output
    assert "Events" in result.output
    assert written.read_text().count("\n") > 10
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


def test_the_schema_of_the_docs_is_a_schema() -> None:
    """The example in docs/schema.md reads, and the tables name every key there is."""
    text = (ROOT / "docs" / "schema.md").read_text()
    example, *others = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    for other in others:
        assert read_schema(other.encode(), "schema.json") != ModelSchema()
    assert [feature.name for feature in read_schema(example.encode(), "schema.json").features] == [
        "amount",
        "hour",
        "balance",
    ]
    for kind in (ModelSchema, InputSchema, FeatureSchema, Display):
        for key in fields(kind):
            assert f"`{key.name}`" in text or key.name in ("mean", "scale"), key.name
