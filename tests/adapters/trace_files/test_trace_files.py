"""The files of a trace are enough to recompute the explanation."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from asking import Stepped, explainer, loaded, numbers, question
from explain.test_level_registry import WITH_HALVES
from matrix import BY_NAME, Case
from sequela.adapters.trace_files.tracer import FileTracer
from sequela.concurrency.deadline import Deadline
from sequela.errors import DoesNotFit
from sequela.explain.diagnostics import Diagnostics
from sequela.explain.evaluate.choose_execution import ExecutionKind
from sequela.explain.explanation import Explanation
from sweeps import few_of
from trace_reader import GameRecord, Trace, traces

LENGTH = 7
GRU = BY_NAME["gru"]
OPTIONS: dict[str, Any] = {
    "pruning_tolerance": 0.003,
    "top_k_events": 2,
    "top_k_features": 2,
    "max_coalitions": 1 << 13,
}
MODELS = few_of(
    ["gru", "lstm", "account", "multi_input", "conv", "classes", "per_event_right", "one_hot", "masked"],
    *("gru", "multi_input", "classes", "per_event_right"),
)


def traced(
    folder: Path,
    case: Case = GRU,
    execution: ExecutionKind | None = None,
    max_bytes: int = 1 << 28,
    model: Any = None,
    length: int = LENGTH,
    **options: Any,
) -> Explanation:
    """An explanation that is recorded in the folder."""
    model = model or loaded(case)
    asked = question(model, case.sample(length), case.average(), **OPTIONS | options)
    with closing(FileTracer(folder, max_bytes)) as tracer:
        diagnostics = Diagnostics(tracer, execution)
        return explainer(model, diagnostics=diagnostics, levels=WITH_HALVES).explain(asked, Deadline())


def only(folder: Path) -> Trace:
    (trace,) = traces(folder)
    return trace


@pytest.mark.parametrize("name", MODELS)
def test_attributions_follow_from_the_values(tmp_path: Path, name: str) -> None:
    """Of every game, by the Shapley formula over all coalitions; null players have 0; they add up to the gain."""
    answer = traced(tmp_path, BY_NAME[name])
    games = only(tmp_path).games
    assert [game.facts["level"] for game in games] == ["event", "feature", "cell"]
    for game in games:
        assert game.facts["stop_reason"] == "exact"
        found = game.attributions()
        np.testing.assert_allclose(found, game.shapley_values(), rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.sum(axis=0), game.gain, rtol=0, atol=1e-9)
        assert not game.attributions("standard_error").any()
        level = answer.levels[game.facts["level"]]
        np.testing.assert_array_equal(found, [each.values for each in level.attributions])


@pytest.mark.parametrize("execution", [None, ExecutionKind.WHOLE])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_model(tmp_path: Path, name: str, execution: ExecutionKind | None) -> None:
    """onnxruntime alone, on the perturbations that the page describes, gives the recorded values."""
    case = BY_NAME[name]
    traced(tmp_path, case, execution)
    trace = only(tmp_path)
    outputs = [target["output"] for target in trace.facts["targets"]]
    for game in trace.games:
        feeds = trace.perturbed(game, game.arrays["coalitions"])
        wanted = case.scorer()(feeds)[:, outputs]
        np.testing.assert_allclose(game.arrays["values"], wanted, rtol=0, atol=case.tolerance)
        ends = trace.perturbed(game, np.repeat([[False], [True]], len(game.players), axis=1))
        recorded = np.stack([game.arrays["base"], game.arrays["score"]])
        np.testing.assert_allclose(recorded, case.scorer()(ends)[:, outputs], rtol=0, atol=case.tolerance)


def test_players_own_what_they_say(tmp_path: Path) -> None:
    """Every value of every input has one owner, which the table of players names."""
    traced(tmp_path, BY_NAME["multi_input"])
    trace = only(tmp_path)
    columns = {each["name"]: each["columns"] for each in trace.facts["features"]}
    for row in trace.game("feature").players:
        if row["kind"] == "feature":
            owned = owned_columns(trace, trace.game("feature"), int(row["player"]))
            assert owned == {name: set(own) for name, own in columns[row["feature_name"]].items()}
    event = trace.game("event")
    for row in event.players:
        rows, _ = np.nonzero(event.arrays["owners_0"] == int(row["player"]))
        if row["kind"] == "event":
            assert set(rows - LENGTH + 1) == {int(row["last_event"])}
            assert row["meaning"] == f"all features of the event t={row['last_event']}"
        elif row["kind"] == "pruned":
            assert set(rows - LENGTH + 1) == set(range(int(row["first_event"]), int(row["last_event"]) + 1))


def owned_columns(trace: Trace, game: GameRecord, player: int) -> dict[str, set[int]]:
    """The columns of each input in which a player owns a value."""
    owned = {
        item["name"]: set(np.nonzero(game.arrays[f"owners_{item['input']}"] == player)[-1].tolist())
        for item in trace.facts["inputs"]
    }
    return {name: own for name, own in owned.items() if own}


def test_whole_and_states_agree(tmp_path: Path) -> None:
    """To float noise, coalition by coalition; each record says which of them ran."""
    found = {}
    for kind in ExecutionKind:
        traced(tmp_path / kind, execution=kind)
        trace = only(tmp_path / kind)
        assert trace.facts["execution"] == kind
        found[kind] = trace
    for whole, states in zip(*(found[kind].games for kind in ExecutionKind), strict=True):
        np.testing.assert_array_equal(whole.arrays["coalitions"], states.arrays["coalitions"])
        np.testing.assert_allclose(whole.arrays["values"], states.arrays["values"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(whole.attributions(), states.attributions(), rtol=0, atol=1e-6)


def test_facts_and_curve(tmp_path: Path) -> None:
    """Model, background, targets, options and cost as in the answer; w1 of every split that was scanned."""
    answer = traced(tmp_path, full_pruning_curve=True, seed=5)
    facts = only(tmp_path).facts
    assert facts["status"] == "finished"
    assert (facts["explanation"], facts["answered_as"]) == (answer.name, answer.name)
    assert facts["model"]["digest"] == answer.model_digest
    assert facts["background"]["digest"] == answer.background_digest
    assert facts["options"]["seed"] == facts["requested_options"]["seed"] == 5
    (target,) = facts["targets"]
    assert (target["base"], target["score"]) == (answer.targets[0].base_value, answer.targets[0].score)
    assert [each["reason"] for each in facts["warnings"]] == [each.reason for each in answer.warnings]
    assert facts["cost"]["model_rows"] == answer.cost.model_rows
    assert answer.pruning is not None
    assert facts["pruned_events"] == answer.pruning.pruned_events
    with (tmp_path / facts["explanation"].rpartition("/")[2] / "pruning.csv").open() as lines:
        rows = [line.strip().split(",") for line in lines][1:]
    assert [(int(event), float(value)) for _, event, value in rows] == [
        (point.event, *point.importance) for point in answer.pruning.curve
    ]


def test_stages_of_a_sampled_game(tmp_path: Path) -> None:
    """The rows of a stage are the first of the file; the last stage is the answer."""
    options = {"levels": ("event",), "pruning_tolerance": 0.0, "max_coalitions": 128}
    answer = traced(tmp_path, BY_NAME["gru"], target_standard_error=1e-9, **options)
    (game,) = only(tmp_path).games
    last = game.stages[-1]
    quality = answer.levels["event"].quality
    assert int(last["coalitions"]) == quality.coalitions == game.facts["rows"] + 2
    assert last["estimator"] == "regression"
    assert float(last["largest_standard_error"]) == quality.largest_standard_error
    seconds = [float(stage["seconds"]) for stage in game.stages]
    assert seconds == sorted(seconds)


def test_every_game_of_a_refined_history(tmp_path: Path) -> None:
    """Has files of its own; the last one is the level."""
    answer = traced(tmp_path, length=9, refine_history=True, pruning_tolerance=0.01, levels=("event",))
    games = only(tmp_path).games
    names = [game.facts["files"] for game in games]
    assert len(names) > 1
    assert names == ["event", *(f"event_{number}" for number in range(2, len(names) + 1))]
    np.testing.assert_array_equal(
        games[-1].attributions(), [each.values for each in answer.levels["event"].attributions]
    )


def test_a_registered_level_is_recorded(tmp_path: Path) -> None:
    """Like those that are built in."""
    answer = traced(tmp_path, levels=("test_halves",))
    (game,) = only(tmp_path).games
    assert game.facts["level"] == "test_halves"
    np.testing.assert_array_equal(
        game.attributions(), [each.values for each in answer.levels["test_halves"].attributions]
    )
    np.testing.assert_allclose(game.attributions(), game.shapley_values(), rtol=0, atol=1e-12)


def test_the_answer_is_the_same(tmp_path: Path) -> None:
    """Bit for bit, with and without a trace."""
    model = loaded(GRU)
    plain = explainer(model).explain(
        question(model, GRU.sample(LENGTH), GRU.average(), **OPTIONS), Deadline()
    )
    found = traced(tmp_path)
    assert {name: numbers(level) for name, level in found.levels.items()} == {
        name: numbers(level) for name, level in plain.levels.items()
    }


def test_a_score_below_the_minimum(tmp_path: Path) -> None:
    """Leaves a record without games and without f(B)."""
    assert not traced(tmp_path, minimum_score=2.0).explained
    facts = only(tmp_path).facts
    assert (facts["status"], facts["explained"], facts["games"]) == ("finished", False, [])
    assert facts["targets"][0]["base"] is None


def test_an_error_is_recorded(tmp_path: Path) -> None:
    """With its reason, and what was there before."""

    def fail(name: str, rows: int) -> None:
        if rows > 2:
            raise DoesNotFit("MODEL_FAILED", f"{name} fails")

    with pytest.raises(DoesNotFit):
        traced(tmp_path, model=Stepped(loaded(GRU), fail))
    trace = only(tmp_path)
    assert trace.facts["status"] == "failed"
    assert trace.facts["error"]["reason"] == "MODEL_FAILED"
    assert trace.facts["execution"] == "states"
    assert trace.inputs["sequence_0"].shape == (LENGTH, 5)


def test_files_are_private(tmp_path: Path) -> None:
    """The folder for its owner alone, and every file in it; nothing unfinished stays."""
    traced(tmp_path / "made" / "here")
    (folder,) = (tmp_path / "made" / "here").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    files = list(folder.iterdir())
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert not [each for each in files if each.suffix == ".part"]


def test_the_size_is_bounded(tmp_path: Path) -> None:
    """What does not fit is left out, which the record and the log say; the answer is whole."""
    with structlog.testing.capture_logs() as logs:
        answer = traced(tmp_path, max_bytes=1024, pruning_tolerance=0.0)
    trace = only(tmp_path)
    assert sum(each.stat().st_size for each in trace.folder.glob("*.npz")) < 1024 + 12 * 1024  # headers
    assert any("coalitions did not fit" in text for text in trace.facts["left_out"])
    assert [each["detail"] for each in logs if each["event"] == "trace cut"] == [
        "; ".join(trace.facts["left_out"])
    ]
    (game,) = [game for game in trace.games if game.facts["level"] == "event"]
    assert game.facts["rows"] == len(game.arrays["coalitions"]) < game.facts["coalitions"] - 2
    assert len(answer.levels["cell"].attributions) == len(trace.game("cell").players)


def test_a_full_disk_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong with the files, the answer comes; the log says so once."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with structlog.testing.capture_logs() as logs:
        monkeypatch.setattr("sequela.adapters.trace_files.folder.Path.replace", full)
        answer = traced(tmp_path)
    assert answer.levels["cell"].attributions
    (warning,) = logs
    assert warning["event"] == "trace not written"
    assert "No space left" in warning["detail"]
    assert not list(next(tmp_path.iterdir()).iterdir())


def test_a_folder_that_vanished_is_no_error(tmp_path: Path) -> None:
    """Nor one in whose place there is a file."""
    tracer = FileTracer(tmp_path / "traces", 1 << 20)
    (tmp_path / "traces").rmdir()
    (tmp_path / "traces").touch()
    model = loaded(GRU)
    asked = question(model, GRU.sample(LENGTH), GRU.average(), **OPTIONS)
    with structlog.testing.capture_logs() as logs:
        answer = explainer(model, diagnostics=Diagnostics(tracer)).explain(asked, Deadline())
        tracer.close()
    assert answer.levels["event"].attributions
    assert [each["event"] for each in logs] == ["trace not written"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Which the operator learns at the start."""
    (tmp_path / "traces").touch()
    with pytest.raises(FileExistsError):
        FileTracer(tmp_path / "traces", 1 << 20)


def test_several_threads(tmp_path: Path) -> None:
    """Each request has a folder of its own, with its own numbers."""
    model = loaded(GRU)
    tracer = FileTracer(tmp_path, 1 << 26)
    explaining = explainer(model, diagnostics=Diagnostics(tracer))
    answers: list[Explanation] = []

    def ask(seed: int) -> None:
        asked = question(model, GRU.sample(LENGTH, seed), GRU.average(), **OPTIONS)
        answers.append(explaining.explain(asked, Deadline()))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tracer.close()
    assert len(answers) == len(traces(tmp_path)) == 6
    for answer in answers:
        trace = Trace(tmp_path / answer.name.rpartition("/")[2])
        for game in trace.games:
            np.testing.assert_allclose(game.attributions(), game.shapley_values(), rtol=0, atol=1e-12)


def test_nothing_is_recorded_after_the_end(tmp_path: Path) -> None:
    """A request that outlives the server is answered all the same, however much it would write."""
    tracer = FileTracer(tmp_path, 1 << 26)
    tracer.close()
    model = loaded(GRU)
    asked = question(model, GRU.sample(LENGTH), GRU.average(), **OPTIONS)
    for _ in range(3):
        assert explainer(model, diagnostics=Diagnostics(tracer)).explain(asked, Deadline()).explained
    assert not [file for folder in tmp_path.iterdir() for file in folder.iterdir()]
