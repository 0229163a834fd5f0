"""The README: its size, its example and what that prints, its commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields

import pytest
from click.testing import CliRunner
from documents import ROOT, fences, printed_by, server_options
from sequela.adapters.model_io.schema_json import read_schema
from sequela.explain.schema import (
    Display,
    FeatureSchema,
    InputSchema,
    ModelSchema,
    ReasonTemplate,
    ReasonTemplates,
)
from sequela_client.cli.main import main
from serving import Serving, embedded

README = (ROOT / "README.md").read_text()
MODELS = ROOT / "service" / "sequela" / "demo" / "models"
COMMANDS = [
    line.removeprefix("$ ").split("#")[0].strip()
    for block in fences(README, "console")
    for line in block.splitlines()
    if line.startswith("$ ")
]


def test_the_readme_is_short() -> None:
    """It has 6 to 8 kB; the rest is in docs."""
    assert 6_000 <= len(README.encode()) <= 8_000


def test_the_example_prints_what_the_readme_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a server started as the README says, the example prints the text below it, character by character."""
    monkeypatch.chdir(ROOT)
    (example,), (shown,) = fences(README, "python"), fences(README, "text")
    with Serving(embedded(model_repository=MODELS)) as serving:
        printed = printed_by(example.replace("localhost:50051", serving.bound.grpc))
    assert printed == shown


def test_the_commands_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sequela serve` has its option, and `sequela explain` prints the tables of a server started with it."""
    monkeypatch.chdir(ROOT)
    serve, explain = (shlex.split(each) for each in COMMANDS if each.startswith("sequela "))
    assert serve[:3] == ["sequela", "serve", "--model-repository"]
    assert serve[2] in server_options()
    with Serving(embedded(model_repository=ROOT / serve[3])) as serving:
        arguments = [each.replace("localhost:50051", serving.bound.grpc) for each in explain[1:]]
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    for table in ("Events", "Features", "Cells"):
        assert table in result.output


def test_the_make_targets_exist() -> None:
    """Every command of the README is one of `make` or `sequela`, and the Makefile has every target."""
    targets = {each.split()[1] for each in COMMANDS if each.startswith("make ")}
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"demo", "console", "test"} == targets <= known
    assert {each.split()[0] for each in COMMANDS} == {"make", "sequela"}


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
    for kind in (ModelSchema, InputSchema, FeatureSchema, Display, ReasonTemplates, ReasonTemplate):
        for key in fields(kind):
            assert f"`{key.name}`" in text or key.name in ("mean", "scale"), key.name
