"""What the command gives out stands on its own: the story, notes, CSV, names of models, and failures in plain words."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from client import file_models as models
from client.command_runs import Run
from client.page_outputs import without_log
from inference_server import InferenceServer, ServedModel
from rich.console import Console
from sequela_client import CallerError, Explanation, NotFound, Sequela
from sequela_client import resources as client_resources
from sequela_client.attribution_rows import COLUMNS
from sequela_client.attributions import StopReason
from sequela_client.cli import explain as explaining
from sequela_client.cli.demo import _command as callable_command
from sequela_client.cli.models import _table as models_table
from sequela_client.cli.option_flags import error_with_flags
from sequela_client.cli.report import report
from sequela_client.explanation_parts import ExplanationWarning, Feature
from sequela_client.phrases import quality
from sequela_client.summary import has_summary, summary_lines
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving

DEMO = Path(__file__).parents[2] / "service" / "sequela" / "demo"


@pytest.fixture
def told(client: Sequela) -> Explanation:
    """An explanation of four events, two of them pruned."""
    return client.explain([[1.0, 2.0]] * 4, model="m", caller_id="alert-1", labels={"outcome": "fraud"})


def printed(explanation: Explanation) -> str:
    """The report, 100 columns wide."""
    console = Console(file=io.StringIO(), width=100, markup=False, emoji=False, highlight=False)
    report(console, explanation, 10)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_explain_tells_what_demo_tells(run: Run, real: str, tmp_path: Path) -> None:
    """The bundled alert by file: its story with labels and raw values, then the numbers, and a CSV that adds up."""
    alert = json.loads((DEMO / "alerts" / "takeover-47.json").read_text())
    model = next((DEMO / "models").rglob("model.onnx"))
    done = run(
        *("explain", "--server", real, "--model", model, "--sequence", DEMO / "alerts" / "takeover-47.json"),
        *("--level", "event", "--level", "cell", "--max-coalitions", 256, "--csv", tmp_path / "out.csv"),
    )
    assert done.exit_code == 0, done.output
    story, tables = done.stdout.split("In numbers")
    lines = story.splitlines()
    assert lines[0].startswith("Alert takeover-47: 47 events, from 20")
    assert lines[1] == ", ".join(f"{key} {value}" for key, value in sorted(alert["labels"].items()))
    assert "What raised it, and by how much:" in story
    assert "EUR" in story
    assert "Events" in tables
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["caller_id"] for row in rows} == {"takeover-47"}
    assert json.loads(rows[0]["labels"]) == alert["labels"]
    newest = next(row for row in rows if row["kind"] == "event" and row["t"] == "0")
    assert newest["event_time"][:16] == alert["events"][-1]["time"][:16]
    assert newest["event_id"] == alert["events"][-1]["id"]
    for level in ("event", "cell"):
        mine = [row for row in rows if row["level"] == level]
        found = sum(float(row["value"]) for row in mine)
        assert found == pytest.approx(float(mine[0]["score"]) - float(mine[0]["base_value"]), abs=1e-6)


def test_every_row_of_the_csv_can_be_read_alone(told: Explanation) -> None:
    """Score, base value, difference, model, tolerance and verdict stand in each row, by target."""
    rows = list(csv.DictReader(io.StringIO(told.to_csv())))
    assert tuple(rows[0]) == tuple(COLUMNS)
    for index, target in enumerate(told.targets):
        mine = [row for row in rows if row["target"] == target.name]
        for level in told.levels:
            values = [float(row["value"]) for row in mine if row["level"] == level]
            assert sum(values) == pytest.approx(target.score - target.base_value, abs=1e-9)
        one = told.pruning.for_target(index)
        for row in mine:
            assert float(row["score"]) == target.score
            assert float(row["base_value"]) == target.base_value
            assert float(row["pruning_tolerance"]) == one.tolerance
            assert row["verdict"] == one.verdict
            assert (row["model"], row["model_digest"]) == (told.model, told.model_digest)
            assert (row["events"], row["pruned_events"]) == ("4", "2")
            assert json.loads(row["labels"]) == {"outcome": "fraud"}


def test_a_score_alone_is_a_row_too(told: Explanation) -> None:
    """Below the minimum score there is a row for each target, without an attribution or a base value."""
    bare = replace(
        told,
        explained=False,
        levels={},
        targets=tuple(replace(target, base_value=float("nan")) for target in told.targets),
    )
    rows = list(csv.DictReader(io.StringIO(bare.to_csv())))
    assert [(row["target"], row["value"], row["base_value"]) for row in rows] == [
        ("fraud", "", ""),
        ("honest", "", ""),
    ]
    assert float(rows[0]["score"]) == told.targets[0].score
    assert not has_summary(bare)


def test_notes_are_printed_once_and_written(told: Explanation) -> None:
    """What an answer rests on stands above the tables, and in JSON and CSV."""
    warned = replace(
        told, warnings=(ExplanationWarning("OUTPUTS_LEFT_OUT", "2 of 9 outputs were explained."),)
    )
    assert printed(warned).count("Note: 2 of 9 outputs were explained.") == 1
    assert json.loads(warned.to_json())["warnings"][0]["reason"] == "OUTPUTS_LEFT_OUT"
    rows = csv.DictReader(io.StringIO(warned.to_csv()))
    assert {row["warnings"] for row in rows} == {"2 of 9 outputs were explained."}
    assert "Note:" not in printed(told)


def test_no_story_of_numbered_features(told: Explanation) -> None:
    """Features that nobody named make tables only."""
    numbered = tuple(Feature(name, "", "", "", False) for name in ("f0", "left.f1"))
    assert has_summary(told)
    assert not has_summary(replace(told, feature_info=numbered))
    assert "In numbers" not in printed(replace(told, feature_info=numbered))


@pytest.mark.parametrize(
    ("score", "base", "said"),
    [
        (0.93, 0.25, "0.93. With nothing known about the history, it is 0.25."),
        (0.93, 0.001, "0.93. With nothing known about the history, it is less than 0.01."),
        (15321.5, 15300.25, "15,322. With nothing known about the history, it is 15,300."),
        (-1.5, 0.25, "-1.50. With nothing known about the history, it is 0.25."),
        (0.00052, 0.00048, "0.000520. With nothing known about the history, it is 0.000480."),
    ],
)
def test_scores_of_any_size(told: Explanation, score: float, base: float, said: str) -> None:
    """Probabilities to two decimals; other scores so that they differ where they differ."""
    first = replace(told.targets[0], score=score, base_value=base)
    assert said in "\n".join(summary_lines(replace(told, targets=(first, *told.targets[1:]))))


def test_how_many_of_the_outputs(told: Explanation) -> None:
    """The report says how many outputs the model has, where they are more than were explained."""
    assert "2 of 2 targets shown, of 1,683 outputs" in printed(replace(told, output_count=1683))
    many = replace(told, output_count=2)
    assert "targets shown" not in printed(many)


def test_players_that_left_the_game(told: Explanation) -> None:
    """How many players equal the background is said beside a level's quality."""
    level = told.levels["event"].quality
    assert quality(replace(level, null_players=12)).endswith("; 12 players equal the background and are 0")
    assert quality(replace(level, null_players=1)).endswith("; 1 player equals the background and is 0")
    assert "equal" not in quality(replace(level, stop_reason=StopReason.EXACT))


def test_models_are_listed(run: Run, real: str, tmp_path: Path) -> None:
    """`sequela models` names those that a server has; a misspelt name is answered with them."""
    model = models.written(tmp_path / "listed", models.weighted(2), models.features("amount", "hour"))
    with Sequela(real) as client:
        client.register_model(model, name="weighted-sums")
    done = run("models", "--server", real)
    assert done.exit_code == 0, done.output
    for word in ("weighted-sums", "ready", "amount, hour", "score"):
        assert word in done.stdout
    np.save(tmp_path / "x.npy", np.ones((2, 2), np.float32))
    failed = run("explain", "--server", real, "--model", "weighted", "--sequence", tmp_path / "x.npy")
    assert failed.exit_code == 1
    assert "the server has" in failed.stderr
    assert "weighted-sums" in failed.stderr
    with Sequela(real) as client:
        client.delete_model("weighted-sums")


def test_notes_on_models_stand_below_the_table(run: Run) -> None:
    """Each text once, with the names of all models that it is about; lines after the first are indented."""
    path = Path(__file__).parents[1] / "fixtures" / "cases" / "models" / "label_first.onnx"
    with Serving() as serving, Sequela(serving.bound.grpc) as client:
        for name in ("one", "other"):
            client.register_model(path, name=name)
        text = client.get_model("one").warnings[0].message
        done = run("models", "--server", serving.bound.grpc)
    table, notes = without_log(done.stdout).split("Notes\n")
    assert text[:40] not in table
    assert f"one, other: {text}" in " ".join(notes.split())
    assert all(line.startswith(("one, other: ", "  ")) for line in notes.strip().splitlines())


def test_a_misspelt_path_of_a_model(run: Run, tmp_path: Path) -> None:
    """Files beside it are named; a folder is told to be one."""
    model = models.written(tmp_path / "m", models.weighted(1))
    np.save(tmp_path / "x.npy", np.ones((2, 1), np.float32))
    near = run("explain", "--model", model.with_name("modell.onnx"), "--sequence", tmp_path / "x.npy")
    assert (near.exit_code, near.stderr.count("\n")) == (1, 1)
    assert "modell.onnx: there is no such file; " in near.stderr
    assert "has model.onnx" in near.stderr
    folder = run("explain", "--model", model.parent, "--sequence", tmp_path / "x.npy")
    assert f"is a folder, not an ONNX file; it has {model}" in folder.stderr


def test_a_fault_of_our_own_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No trace, unless Python's development mode asks for it."""
    if sys.flags.dev_mode:
        pytest.skip("in development mode the trace is wanted")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("of our own")

    monkeypatch.setattr(explaining, "load", broken)
    done = run("explain", "--model", "m", "--server", "localhost:1", "--sequence", tmp_path / "x.npy")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: unexpected ZeroDivisionError: of our own")


def test_without_a_sequence(run: Run) -> None:
    """What is missing is named, with the usage."""
    done = run("explain", "--model", "m")
    assert done.exit_code == 2
    assert "Missing option '--sequence'" in done.stderr
    assert "Usage: " in done.stderr


@pytest.mark.parametrize("command", [(), ("explain",), ("models",), ("demo",)])
def test_help_has_examples(run: Run, command: tuple[str, ...]) -> None:
    """Every command's help shows how it is called."""
    done = run(*command, "--help")
    assert done.exit_code == 0
    assert f"sequela {' '.join(command)}".strip() in done.stdout.split("--help")[1]
    assert "Exit codes" in run("--help").stdout


@pytest.mark.slow
def test_an_endpoints_columns_by_the_schemas_names(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model behind an endpoint has its columns matched by the schema that goes with it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    model = models.written(tmp_path / "m", models.weighted(2), models.features("amount", "hour"))
    (tmp_path / "t.csv").write_text("hour,amount\n2,1.5\n4,-3\n")
    np.save(tmp_path / "zeros.npy", np.zeros(2, np.float32))
    with InferenceServer({"m": ServedModel(model.read_bytes())}) as server:
        done = run(
            *(
                "explain",
                "--model",
                server.uri("m"),
                "--schema",
                model.with_name("schema.json"),
                "--level",
                "event",
            ),
            *("--sequence", tmp_path / "t.csv", "--background", tmp_path / "zeros.npy", "--json", "-"),
        )
    assert done.exit_code == 0, done.output
    right = models.score(model, [[1.5, 2], [-3, 4]])
    assert json.loads(done.stdout)["targets"][0]["score"] == pytest.approx(right, abs=1e-6)


def test_a_model_with_its_version(run: Run, tmp_path: Path) -> None:
    """`m/2` is that version of the server's model. If there is none, the error names both readings."""
    model = models.written(tmp_path / "m", models.weighted(1))
    np.save(tmp_path / "x.npy", np.ones((2, 1), np.float32))
    with Serving() as serving, Sequela(serving.bound.grpc) as client:
        for name in ("fraud/1", "fraud/2", "other/1"):
            client.register_model(model, name=name)
        given = ("explain", "--server", serving.bound.grpc, "--sequence", tmp_path / "x.npy")
        average = ("--background", tmp_path / "x.npy", "--level", "event")
        done = run(*given, *average, "--model", "fraud/2", "--json", tmp_path / "e.json")
        absent, misspelt = (run(*given, "--model", each) for each in ("fraud/3", "frad"))
        listed = without_log(run("models", "--server", serving.bound.grpc).stdout)
        described = client.get_model("fraud/2")
        (outcome,) = client.explain_many([np.ones((2, 1))], model="fraud/3")
        with pytest.raises(NotFound) as averaged:
            client.average_background("b", [np.ones((2, 1))], model="fraud/3")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "e.json").read_text())["model"] == "models/fraud/versions/2"
    both = "no model is named 'fraud/3', and there is no file 'fraud/3'"
    assert [str(outcome.error), str(averaged.value)] == [both, both]
    assert f"{both} (did you mean fraud/1 or fraud/2? the server has fraud, other)" in absent.stderr
    assert "(did you mean fraud? the server has fraud, other)" in misspelt.stderr
    assert [each in listed for each in ("fraud/1", "fraud/2", "other/")] == [True, True, False]
    features = len(described.features)
    assert repr(described) == (
        f"<Model models/fraud/versions/2, ready, inputs: 1, features: {features}, targets: "
        f"{described.targets[0].name}>"
    )
    alone = run("explain", "--model", "fraud/2", "--sequence", tmp_path / "x.npy")
    assert (
        "model fraud/2: there is no such file; if it is a model of a server, name the server" in alone.stderr
    )


def test_models_that_are_not_loaded_yet() -> None:
    """Blanks of the table say so."""
    for state, said in ((pb.MODEL_STATE_LOADING, 3), (pb.MODEL_STATE_FAILED, 0)):
        model = client_resources.model(pb.Model(name="models/m/versions/1", state=state))
        console = Console(file=io.StringIO(), width=100)
        console.print(models_table(console, [model], lambda model: model.name))
        assert console.file.getvalue().count("not loaded yet") == said  # type: ignore[attr-defined]


def test_a_package_that_is_missing_is_the_callers_matter(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No operator of a server can install it."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for words in (("demo",), ("show", "e1", "--server", "localhost:1")):
        done = run(*words, "--html", tmp_path / "e.html")
        assert (done.exit_code, "pip install '.[report]'" in done.stderr) == (1, True)


def test_a_file_that_is_not_a_model_is_named(run: Run, tmp_path: Path, real: str) -> None:
    """In Python and by the command, in an error about its content."""
    file = tmp_path / "notes.onnx"
    file.write_bytes(b"not a model")
    np.save(tmp_path / "x.npy", np.ones((2, 1), np.float32))
    with Sequela(real) as client, pytest.raises(CallerError) as refused:
        client.register_model(file)
    assert str(refused.value).startswith(f"model {file}: its 11 bytes are not an ONNX model")
    done = run("explain", "--server", real, "--model", file, "--sequence", tmp_path / "x.npy")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: model {file}: its 11 bytes are not an ONNX model")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name its PEM file: --ca FILE, or ca= in Python", "name its PEM file: --ca FILE"),
        ("with --cert A and --key B (certificate= and key= in Python)", "with --cert A and --key B"),
        ("or --token-without-tls (token_without_tls=True) if", "or --token-without-tls if"),
        ("sequence: f(x=2) is kept", "--sequence: f(x=2) is kept"),
    ],
)
def test_errors_of_the_command_do_not_speak_of_python(text: str, said: str) -> None:
    """The flags are enough."""
    assert error_with_flags(text) == said


def test_the_hint_of_the_demo_can_be_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its folder, if the shell does not find the command."""
    monkeypatch.chdir(tmp_path)
    for path, called, said in (
        ("", tmp_path / ".venv" / "bin" / "sequela", ".venv/bin/sequela"),
        ("", ".venv/bin/sequela", ".venv/bin/sequela"),
        ("", "/usr/bin/pytest", "sequela"),
    ):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setattr(sys, "argv", [str(called)])
        assert callable_command() == said
    (tmp_path / "sequela").write_text("#!/bin/sh\n")
    (tmp_path / "sequela").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/sequela"])
    assert callable_command() == "sequela"


def test_a_piped_report_has_no_trailing_spaces(run: Run, arguments: list[object]) -> None:
    """Its tables are padded on a terminal only."""
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "\nEvents " in done.stdout
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []
