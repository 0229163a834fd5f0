"""Sequences that the real server keeps with its explanations: they come back as they were sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pytest
from client.command_runs import Run
from matrix import BY_NAME
from sequela_client import AsyncSequela, CallerError, EventInfo, Explanation, NotFound, Sequela, Sequence
from sequela_client.explanation_parts import SequenceState
from sequela_client.files import read_sequence
from sequela_client.local_server import server_package
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from serving import Serving, embedded
from waiting import PATIENCE

GRU = BY_NAME["gru"]
OPTIONS: dict[str, Any] = {
    "model": GRU.path,
    "background": GRU.average()["events"],
    "levels": ["event"],
    "pruning_tolerance": 0.0,
}


def sent(number: int = 5) -> Sequence:
    """A sequence with ids of its events."""
    events = tuple(EventInfo(f"event-{each}", None, {"shop": "corner"}) for each in range(number))
    return Sequence(GRU.sample(number)["events"], events, f"alert-{number}", {"desk": "2"})


def test_a_kept_sequence_gives_the_same_explanation(run: Run, real: str, tmp_path: Path) -> None:
    """From Python, and by the commands: what `show` writes, `explain` reads."""
    with Sequela(real) as sequela:
        made = sequela.explain(sent(), **OPTIONS)
        found = sequela.get_explanation(made.name)
        assert found == made
        assert found.sequence_state is SequenceState.KEPT
        assert found.sequence is not None
        (values,) = dict(found.sequence.inputs).values()
        np.testing.assert_array_equal(values, sent().inputs)
        assert (found.sequence.events, found.sequence.id) == (sent().events, "alert-5")
        again = sequela.explain(found.sequence, **OPTIONS)
        assert again.levels == made.levels
    file, background = tmp_path / "again.json", tmp_path / "background.npy"
    np.save(background, GRU.average()["events"])
    assert run("show", made.name, "--server", real, "--sequence", file).exit_code == 0
    command = ("explain", "--server", real, "--model", GRU.path, "--background", background)
    done = run(*command, "--sequence", file, "--level", "event", "--pruning-tolerance", "0")
    assert done.exit_code == 0, done.output
    assert "alert alert-5" in done.output


def test_a_kept_sequence_keeps_the_names_of_its_columns(run: Run, real: str, tmp_path: Path) -> None:
    """Columns that were sent by name, in another order than the model's, give the same numbers again."""
    model = server_package() / "demo" / "models" / "account_takeover" / "1" / "model.onnx"
    names = [each["name"] for each in json.loads(model.with_name("schema.json").read_text())["features"]]
    rng = np.random.default_rng(0)
    inputs = {
        "numeric": rng.normal(size=(4, 9)).astype(np.float32),
        "categorical": rng.integers(0, 3, (4, 8)),
    }
    numeric = pd.DataFrame(inputs["numeric"], columns=names[:9])
    categorical = pd.DataFrame(inputs["categorical"], columns=names[9:])
    shuffled = {
        name: each[each.columns[::-1]] for name, each in (("numeric", numeric), ("categorical", categorical))
    }
    file = tmp_path / "again.json"
    with Sequela(real) as sequela:
        made = sequela.explain(shuffled, model=model, levels=["event"])
        assert made.score == sequela.score(inputs, model=model).values[0, 0]
        found = sequela.get_explanation(made.name)
        assert found.sequence is not None
        again = sequela.explain(found.sequence, model=model, levels=["event"], dry_run=True)
        assert again.levels["event"].attributions == made.levels["event"].attributions
        assert run("show", made.name, "--server", real, "--sequence", file).exit_code == 0
        assert sequela.score(read_sequence(file), model=model).values[0, 0] == made.score
        assert json.loads(found.to_json())["sequence"]["inputs"] == json.loads(file.read_text())["inputs"]


def test_another_version_of_the_model_takes_a_kept_sequence_by_name(
    run: Run, real: str, tmp_path: Path
) -> None:
    """It may have the same columns in another order. The arrays stay in the order of the first version."""
    first = server_package() / "demo" / "models" / "account_takeover" / "1" / "model.onnx"
    schema = json.loads(first.with_name("schema.json").read_text())
    names = [each["name"] for each in schema["features"][:9]]
    for feature, name in zip(schema["features"][:9], reversed(names), strict=True):
        feature["name"] = name
    second = tmp_path / "model.onnx"
    second.write_bytes(first.read_bytes())
    schema.pop("reasons", None)
    second.with_name("schema.json").write_text(json.dumps(schema))
    rng = np.random.default_rng(1)
    numeric = rng.normal(size=(4, 9)).astype(np.float32)
    categorical = rng.integers(0, 3, (4, 8))
    frame = pd.DataFrame(numeric, columns=names)[sorted(names)]
    with Sequela(real) as sequela:
        made = sequela.explain({"numeric": frame, "categorical": categorical}, model=first, levels=["event"])
        found = sequela.get_explanation(made.name).sequence
        assert found is not None
        assert dict(found.columns) == {"numeric": tuple(names)}
        np.testing.assert_array_equal(dict(found.inputs)["numeric"], numeric)
        by_name = {"numeric": numeric[:, ::-1], "categorical": categorical}
        scores = sequela.score([found, by_name, {**by_name, "numeric": numeric}], model=second).values[:, 0]
    assert scores[0] == scores[1] != scores[2]
    file, answer = tmp_path / "kept.json", tmp_path / "answer.json"
    assert run("show", made.name, "--server", real, "--sequence", file).exit_code == 0
    command = ("explain", "--server", real, "--model", second, "--sequence", file, "--level", "event")
    done = run(*command, "--json", answer)
    assert done.exit_code == 0, done.output
    assert json.loads(answer.read_text())["targets"][0]["raw_score"] == scores[1]


def test_names_of_columns_that_the_model_does_not_have_are_refused(real: str) -> None:
    """A sequence of arrays may name its columns, and a wrong name is not taken by position."""
    model = server_package() / "demo" / "models" / "account_takeover" / "1" / "model.onnx"
    inputs = {"numeric": np.zeros((4, 9), np.float32), "categorical": np.zeros((4, 8), np.int64)}
    columns = {"numeric": tuple(f"c{number}" for number in range(9))}
    wrong: list[tuple[Any, Any, str]] = [
        (inputs, columns, "the columns c0, .* missing: amount"),
        (inputs["numeric"], columns, "no array is named 'numeric'"),
        (inputs, ("c0", "c1"), "names by input"),
    ]
    with Sequela(real) as sequela:
        for values, names, text in wrong:
            with pytest.raises(CallerError, match=text):
                sequela.score(Sequence(values, columns=names), model=model)


def test_an_explanation_without_its_sequence(real: str) -> None:
    """It is the same, and still says that the sequence was kept; the message does not have it."""
    with Sequela(real) as sequela:
        made = sequela.explain(sent(7), **OPTIONS)
        found = sequela.get_explanation(made.name, sequence=False)
        assert found == made
        assert (found.sequence, found.sequence_state) == (None, SequenceState.KEPT)
        assert sequela.get_explanation(made.name).sequence is not None

    async def read() -> Explanation:
        async with AsyncSequela(real) as sequela:
            return await sequela.get_explanation(made.name, sequence=False)

    assert asyncio.run(read()).sequence is None
    with grpc.insecure_channel(real) as channel:
        stub = rpc.ExplanationServiceStub(channel)
        asked = [pb.GetExplanationRequest(name=made.name, omit_sequence=omit) for omit in (False, True)]
        whole, alone = (stub.GetExplanation(each, timeout=PATIENCE) for each in asked)
    assert (whole.HasField("sequence"), alone.HasField("sequence")) == (True, False)
    assert whole.explanation == alone.explanation
    assert alone.sequence_state == pb.SEQUENCE_STATE_KEPT


def test_a_server_that_keeps_none(run: Run) -> None:
    """The reader is told so."""
    with Serving(embedded(keep_sequences=False)) as server, Sequela(server.bound.grpc) as sequela:
        made = sequela.explain(sent(4), **OPTIONS)
        found = sequela.get_explanation(made.name)
        assert (found.sequence, found.sequence_state) == (None, SequenceState.NOT_KEPT)
        alone = sequela.get_explanation(made.name, sequence=False)
        assert (alone.sequence, alone.sequence_state) == (None, SequenceState.NOT_KEPT)
        assert "--no-keep-sequences" in run("show", made.name, "--server", server.bound.grpc).stderr


def test_deletion(run: Run, real: str) -> None:
    """By name, caller id and label; lists and readers have them no more."""
    with Sequela(real) as sequela:
        names = [sequela.explain(sent(number), **OPTIONS).name for number in (2, 3, 6)]
        scores = {each.name: each.targets[0].raw_score for each in sequela.list_explanations()}
        low = sorted(scores[name] for name in names)[0]
        assert {each.name for each in sequela.list_explanations(max_score=low)} & set(names)
        assert sequela.delete_explanations(name=names[0]) == 1
        assert (
            run("delete", "--caller-id", "alert-3", "--yes", "--server", real).output
            == "1 explanation deleted\n"
        )
        with pytest.raises(NotFound):
            sequela.get_explanation(names[1])
        assert names[2] in [each.name for each in sequela.list_explanations(labels={"desk": "2"})]
        assert sequela.delete_explanations(label=("desk", "2")) >= 1
        assert list(sequela.list_explanations(labels={"desk": "2"})) == []
        assert sequela.delete_explanations(name=names[0]) == 0
