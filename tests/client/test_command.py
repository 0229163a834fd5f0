"""The command: what it draws, writes and sends, and how it fails. Runs in this process, against real servers."""

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from client.command_runs import Run, section
from client.scripted import Script
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME
from sequela_client import OperatorError, Sequela, TryAgain
from sequela_client.attributions import Attribution, PlayerKind
from sequela_client.cli.main import _advice, main
from sequela_client.errors import TimeSpentWaiting
from sequela_client.explanation_parts import Verdict
from sequela_client.local_server import embedded_server
from sequela_client.phrases import Phrases
from sequela_client.summary import summary_lines

GRU = BY_NAME["gru"]


def numbers(text: str) -> list[float]:
    """All signed numbers of a text."""
    return [float(found) for found in re.findall(r"[+-]\d+\.\d+", text)]


def test_draws_every_level(run: Run, real: str, arguments: list[object]) -> None:
    """Events most recent first, features and cells strongest first, all with the client's numbers."""
    done = run(*arguments, "--pruning-tolerance", 0)
    assert done.exit_code == 0, done.output
    assert not done.stderr
    assert "\x1b" not in done.stdout
    told = json.loads(run(*arguments, "--pruning-tolerance", 0, "--json", "-").stdout)
    with Sequela(real) as client:
        same = client.get_explanation(told["name"])
    assert f"score {same.score:.4f}"[:-2] in done.stdout
    assert "alert alert-9" in done.stdout
    assert "Nothing was pruned" in done.stdout
    events = section(done.stdout, "Events")
    assert [line.split()[0] for line in events] == [f"t={t}" for t in (0, -1, -2, -3, -4, -5)]
    for line, item in zip(events, same.events, strict=True):
        assert numbers(line.split("│")[0])[-1] == pytest.approx(item.value, abs=1e-4)
    assert "2026-04-02 07:35" in events[0]
    assert "4,210.00 EUR" in done.stdout
    features = section(done.stdout, "Features")
    strongest = sorted(same.features.values(), key=lambda item: -abs(item.value))
    assert [line.split()[0] for line in features] == [item.feature for item in strongest]
    sizes = [abs(numbers(line)[-1]) for line in section(done.stdout, "Cells")]
    assert sizes == sorted(sizes, reverse=True)


def test_a_dry_run_is_not_stored(run: Run, real: str, arguments: list[object]) -> None:
    """It prints the same report; its JSON has no name, and the server lists nothing."""
    named = [*arguments, "--caller-id", "a dry run", "--seed", 11]
    told = json.loads(run(*named, "--dry-run", "--json", "-").stdout)
    assert (told["name"], told["cost"]["cached"]) == ("", False)
    with Sequela(real) as client:
        assert list(client.list_explanations(caller_id="a dry run")) == []
        dry = run(*named, "--dry-run").stdout
        assert dry == run(*named).stdout
        assert len(list(client.list_explanations(caller_id="a dry run"))) == 1


def test_what_is_pruned_is_said(run: Run, arguments: list[object]) -> None:
    """A generous tolerance lumps the history together, and the words say so."""
    done = run(*arguments, "--pruning-tolerance", 10)
    assert "The 5 oldest events were taken together" in done.stdout
    assert "stays within the tolerance of 10" in " ".join(done.stdout.split())
    assert section(done.stdout, "Events")[-1].split()[0] == "t=-5…-1"


@pytest.mark.parametrize("columns", [50, 80, 140])
def test_fits_the_terminal(arguments: list[object], columns: int) -> None:
    """No line is wider than the terminal."""
    words = [str(each) for each in arguments]
    done = CliRunner().invoke(main, words, env={"COLUMNS": str(columns)})
    assert max(map(len, done.stdout.splitlines())) <= columns


def test_values_read_as_the_schema_says(run: Run, real: str, tmp_path: Path) -> None:
    """Category names and units stand beside events' and static features' attributions."""
    case = BY_NAME["multi_input"]
    x, schema = case.sample(4), json.loads(case.path.with_name("schema.json").read_text())
    kinds = {feature["name"]: feature for feature in schema["features"]}
    for name, values in (("alert", x), ("background", case.average())):
        inputs = {key: value.tolist() for key, value in values.items()}
        (tmp_path / f"{name}.json").write_text(json.dumps({"inputs": inputs}))
    files = ("--sequence", tmp_path / "alert.json", "--background", tmp_path / "background.json")
    done = run("explain", "--server", real, "--model", case.path, *files, "--pruning-tolerance", 0)
    rows = {line.split()[0]: line for line in section(done.stdout, "Features")}
    assert kinds["region"]["categories"][int(x["region"][0])] in rows["region"]
    assert kinds["amount"]["unit"] in rows["amount"]
    assert {"region", "profile"} <= rows.keys()
    assert section(done.stdout, "Events")[-1].startswith(" static features")


def test_others_words_do_not_steer_the_terminal(run: Run, address: str, tmp_path: Path) -> None:
    """Escape sequences, line breaks and markup in an alert's texts are shown as texts."""
    text = "[bold]big[/nope] :smile: \x1b[2Jclear\nline"
    events: list[dict[str, object]] = [{}] * 3 + [{"display": {"amount": text}}]
    path = tmp_path / "alert.json"
    path.write_text(json.dumps({"id": text, "inputs": [[1.0]] * 4, "events": events}))
    done = run("explain", "--server", address, "--model", "m", "--sequence", path, "--target", "fraud")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.stdout
    assert "alert [bold]big[/nope] :smile: \ufffd[2Jclear line" in " ".join(done.stdout.split())
    failed = run("explain", "--server", address, "--model", "\x1b[2J.onnx", "--sequence", path)
    assert failed.stderr.startswith("error: model \ufffd[2J.onnx")


def test_shows_the_strongest_rows(run: Run, arguments: list[object]) -> None:
    """`--rows` keeps the strongest, and says what it leaves out."""
    done = run(*arguments, "--pruning-tolerance", 0, "--rows", 2)
    assert len(section(done.stdout, "Events")) == 2
    assert "Not shown: 4 weaker (" in done.stdout


def test_writes_json_and_csv(run: Run, arguments: list[object], tmp_path: Path) -> None:
    """Files hold what was drawn; `-` writes to standard output and draws nothing."""
    done = run(*arguments, "--json", tmp_path / "out.json", "--csv", tmp_path / "out.csv")
    assert "Events" in done.stdout
    told = json.loads((tmp_path / "out.json").read_text())
    with (tmp_path / "out.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    drawn = [item["values"][0] for item in told["event_level"]["attributions"]]
    assert [float(row["value"]) for row in rows if row["level"] == "event"] == drawn
    assert run(*arguments, "--csv", "-").stdout.startswith("explanation,caller_id,target,level")


def test_every_option_is_sent(run: Run, address: str, script: Script, alert: Path) -> None:
    """Each flag arrives in the request; what is left out stays unset."""
    flags = {
        "pruning_tolerance": 0.5,
        "cell_threshold": 0.25,
        "top_k_events": 3,
        "top_k_features": 4,
        "max_coalitions": 512,
        "target_standard_error": 0.125,
        "seed": 7,
        "minimum_score": 0.75,
        "output_event": -1,
    }
    words = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", value)]
    ask = ("explain", "--server", address, "--model", "m", "--sequence", alert)
    more = (
        "--level",
        "event",
        "--target",
        "fraud",
        "--refine-history",
        "--full-pruning-curve",
        "--link",
        "logit",
    )
    done = run(
        *ask, *words, *more, "--feature-scope", "full_sequence", "--label", "a=b=c", "--caller-id", "mine"
    )
    assert done.exit_code == 0, done.output
    request = script.calls[-1][1]
    assert {name: getattr(request.options, name) for name in flags} == flags
    assert list(request.options.targets) == ["fraud"]
    assert (len(request.options.levels), request.options.link, request.options.feature_scope) == (1, 2, 2)
    assert request.options.refine_history
    assert request.options.full_pruning_curve
    assert (request.caller_id, dict(request.labels)) == ("mine", {"a": "b=c"})
    run(*ask)
    assert script.calls[-1][1].options.ByteSize() == 0
    assert script.calls[-1][1].caller_id == "alert-9"


def test_several_targets_are_drawn(run: Run, address: str, alert: Path) -> None:
    """Each target has its own header and tables."""
    done = run("explain", "--server", address, "--model", "m", "--sequence", alert)
    assert "fraud  score 0.9000" in done.stdout
    assert "honest  score 0.1000" in done.stdout
    assert "may exceed the tolerance" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("--pruning-tolerance", -1), 1, "--pruning-tolerance: "),
        (("--model", "nowhere.onnx"), 1, "nowhere.onnx: there is no such file"),
        (("--sequence", "nowhere.csv"), 1, "nowhere.csv: No such file"),
        (("--background", "nobody"), 1, "nobody"),
        (
            ("--server", "127.0.0.1:1"),
            3,
            "no server answers at 127.0.0.1:1; is `sequela serve` running there?",
        ),
        pytest.param(
            ("--server", "nowhere.invalid"),
            3,
            "no server answers at nowhere.invalid:50051; is",
            marks=pytest.mark.slow,
        ),
        (("--timeout", 1e-6), 3, "--timeout"),
        (("--model", "grpc://127.0.0.1:1/m"), 4, "list of endpoints"),
        (("--schema", "schema.json"), 2, "--schema goes with the URI of an endpoint"),
        (("--model", "grpc://127.0.0.1/m"), 1, "the port is missing"),
        (("--label", "novalue"), 2, "KEY=VALUE"),
        (("--label", "=nokey"), 2, "KEY=VALUE"),
        (("--label", "a=1", "--label", "a=2"), 2, "'a' is given twice, as '1' and as '2'"),
        (("--level", "row"), 2, "'row' is not one of"),
        (("--json", "/nowhere/at/all.json"), 1, "/nowhere/at/all.json"),
    ],
)
def test_fails_in_one_line(
    run: Run, arguments: list[object], change: tuple[object, ...], code: int, said: str
) -> None:
    """An error is one line on stderr with its field or file, and the exit code says who must act."""
    done = run(*arguments, *change)
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.output
    if code != 2:
        assert done.stderr.lower().startswith("error: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_server_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers while it is needed, and is gone afterwards."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with embedded_server() as address, Sequela(address) as client:
        assert list(client.models()) == []
    with Sequela(address, timeout=60) as client, pytest.raises(TryAgain):
        list(client.models())


@pytest.mark.slow
def test_a_model_behind_an_endpoint_without_a_server(
    run: Run, alert: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server started for the question may be told any endpoint: who runs the command is its operator."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    schema, background = tmp_path / "schema.json", tmp_path / "background.npy"
    np.save(background, BY_NAME["gru"].average()["events"])
    schema.write_text('{"targets": [{"name": "risk"}], "bounded": true}')
    with InferenceServer({"gru": ServedModel(BY_NAME["gru"].path.read_bytes())}) as server:
        arguments = ("explain", "--sequence", alert, "--background", background, "--schema", schema)
        done = run(*arguments, "--model", server.uri("gru"), "--json", "-")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [target["name"] for target in answer["targets"]] == ["risk"]
    assert answer["cost"]["endpoint_rows"] > 0


@pytest.mark.slow
def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The end of its log says why."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with pytest.raises(OperatorError, match="stopped with code"), embedded_server(["--port", "70000"]):
        pass


@pytest.mark.parametrize("absent", ["onnxruntime", "pydantic_settings", "uvicorn"])
def test_without_the_server_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch, alert: Path, absent: str
) -> None:
    """Commands that need the server's own packages say how to get them, in one line."""
    monkeypatch.setitem(sys.modules, absent, None)
    for words in (("serve",), ("demo",), ("explain", "--model", GRU.path, "--sequence", alert)):
        done = run(*words)
        assert done.exit_code == 1
        assert "pip install '.[service]'" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_name_needs_a_server(run: Run, alert: Path) -> None:
    """A registered model's name without the server that has it: the error says what is missing."""
    done = run("explain", "--model", "account_takeover", "--sequence", alert)
    assert done.exit_code == 1
    assert "is a name, not a file; to use a model by its name, name its server with --server" in done.stderr


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as installed: piped."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "100"}
    code = "from sequela_client.cli.main import main; main(prog_name='sequela')"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=90,
        check=False,
    )


@pytest.mark.slow
def test_demo_tells_the_story() -> None:
    """From nothing to an explained alert: score, what raised it, raw values with units, older events; piped plainly."""
    done = command("demo")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert "\x1b" not in done.stdout
    story, tables = done.stdout.split("In numbers")
    assert re.search(
        r"Probability of account takeover: 0\.[5-9]\d|Probability of account takeover: 1\.00", story
    )
    assert "What raised it" in story
    assert re.search(r"1\. \+0\.\d\d  \d{4}-\d\d-\d\d \d\d:\d\d: ", story)
    assert "EUR" in story
    assert "older events" in story
    assert [title for title in ("Events", "Features", "Cells") if f"\n{title} " in tables] == [
        "Events",
        "Features",
        "Cells",
    ]


def test_demo_knows_its_alerts(run: Run) -> None:
    """A name that is none of the bundled alerts is answered with those there are."""
    done = run("demo", "--alert", "nobody")
    assert done.exit_code == 2
    assert "false-alert" in done.stderr


@pytest.mark.slow
def test_serve_is_the_server() -> None:
    """All arguments reach the server, even --help."""
    assert "--http-port" in command("serve", "--help").stdout


def test_says_its_version(run: Run) -> None:
    """One line."""
    assert re.fullmatch(r"sequela, version \S.*\n", run("--version").stdout)


@pytest.mark.parametrize(
    ("refined", "parts", "said"),
    [
        (False, 0, "See which with refine_history."),
        (True, 2, "Below it is split into 2 parts."),
        (True, 0, "exceeds the tolerance of 0.0250."),
    ],
)
def test_pruned_events_that_matter(client: Sequela, refined: bool, parts: int, said: str) -> None:
    """It is said how to see which of them do; once asked, into how many parts they were split, if at all."""
    told = client.explain([[1.0, 2.0]] * 4, model="m").target("fraud")
    assert told.event_level is not None
    block = Attribution(PlayerKind.HISTORY, (0.01,), (0.0,), first_t=-3, last_t=-2)
    level = replace(told.event_level, attributions=(block,) * parts + told.event_level.attributions)
    changed = replace(
        told,
        pruning=replace(told.pruning, verdicts=(Verdict.EXCEEDS,)),
        options=replace(told.options, refine_history=refined),
        levels={**told.levels, "event": level},
    )
    assert Phrases(changed).pruning().endswith(said)


def test_the_story_names_the_scope(client: Sequela) -> None:
    """Features that acted on the unpruned events only are not said to have acted on all."""
    told = client.explain([[1.0, 2.0]] * 4, model="m")
    whole = replace(told, options=replace(told.options, feature_scope="full_sequence"))
    assert "Over the 2 recent events, these features" in "\n".join(summary_lines(told))
    assert "Over all events, these features" in "\n".join(summary_lines(whole))


def test_says_when_nothing_passes_the_threshold(run: Run, arguments: list[object]) -> None:
    """Where no single cell is answered, the threshold is named with what else to try; that then works."""
    done = run(*arguments, "--cell-threshold", 50)
    said = (
        "There is no single cell, because no event and feature both pass the threshold 50; "
        "try --top-k-events 3 --top-k-features 3."
    )
    assert said in " ".join(done.stdout.split())
    tried = run(*arguments, "--top-k-events", 3, "--top-k-features", 3)
    assert tried.exit_code == 0
    assert "pass the threshold" not in tried.stdout


def test_names_the_minimum_score(run: Run, arguments: list[object]) -> None:
    """A score that is not explained is set against the number that the caller gave."""
    done = run(*arguments, "--minimum-score", 0.999)
    assert "below the minimum score of 0.999, so it is not explained." in done.stdout


def test_the_advice_for_time_spent_waiting_names_both_ways_out() -> None:
    """To come again, or to bring more time."""
    error = TimeSpentWaiting("the deadline passed while the request waited", retry_after=0.1)
    assert _advice(error) == " (try again in 0.1 s, or with a longer --timeout)"
