"""One row for each sequence: explain_batches against single explanations, and rows that cannot be explained."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from client import file_models
from cohort import cohorts
from matrix import BY_NAME
from onnx import numpy_helper
from sequela_client import CallerError, Sequela
from sequela_client.cohort import BulkQuestion, explain_batches
from sequela_client.cohort import explain as explaining
from sequela_client.cohort.rows import RowHead, explained_row, record_batch
from sequela_client.cohort.schema import SCHEMA
from sequela_client.cohort.servers import named_pool

MULTI = BY_NAME["multi_input"]


def answers(question: BulkQuestion, batches: Any, server: str) -> list[cohorts.Row]:
    found = list(explain_batches(pickle.loads(pickle.dumps(question)), batches, servers=[server]))
    assert all(batch.schema.equals(SCHEMA) for batch in found)
    return [row for batch in found for row in batch.to_pylist()]


def table_of(samples: list[dict[str, Any]]) -> pa.Table:
    """Sequences of the model with several inputs as columns of its features."""
    return pa.table(
        {
            "id": [f"s{at}" for at in range(len(samples))],
            **{
                name: [each["numeric"][:, at].tolist() for each in samples]
                for at, name in enumerate(("amount", "hour", "balance"))
            },
            "kind": [each["ids"][:, 0].tolist() for each in samples],
            "country": [each["ids"][:, 1].tolist() for each in samples],
            "profile.0": [float(each["profile"][0]) for each in samples],
            "profile.1": [float(each["profile"][1]) for each in samples],
            "region": [int(each["region"][0]) for each in samples],
        }
    )


def test_the_numbers_are_those_of_single_explanations(real: str) -> None:
    """All levels of a model with several inputs, static ones among them: every number is the same."""
    samples = [MULTI.sample(length, seed) for seed, length in enumerate((3, 8, 5, 1))]
    question = BulkQuestion(str(MULTI.path), MULTI.average(), id="id", options={"refine_history": True})
    found = answers(question, table_of(samples).to_batches(), real)
    with Sequela(real) as client:
        for at, sample in enumerate(samples):
            one = client.explain(
                sample, model=MULTI.path, background=MULTI.average(), refine_history=True, caller_id=f"s{at}"
            )
            head = RowHead(f"s{at}", "", at, full_length=one.length)
            (right,) = record_batch([explained_row(head, one)]).to_pylist()
            assert found[at] == right


@pytest.mark.slow
def test_how_rows_are_batched_changes_nothing(rows_question: BulkQuestion, real: str) -> None:
    """Any sizes of batches, with several variants."""
    table = cohorts.nested(cohorts.accounts(40))
    question = replace(rows_question, seeds=(0, 1), tolerances=(0.0, 0.1))
    whole = answers(question, cohorts.in_batches(table, [40]), real)
    assert [row["id"] for row in whole[:4]] == ["a000"] * 4
    assert [row["variant"] for row in whole[:4]] == [
        f"pruning_tolerance={eta},seed={seed}" for eta in ("0", "0.1") for seed in (0, 1)
    ]
    assert answers(question, cohorts.in_batches(table, [1, 2, 0, 30, 7]), real) == whole


def test_inputs_as_matrices(rows_question: BulkQuestion, model: Path, real: str) -> None:
    """One column holds all events of an input, as lists of lists or of a fixed size."""
    groups = cohorts.sequences_of(cohorts.accounts(6))
    held = [group[["amount", "hour"]].to_numpy().tolist() for group in groups.values()]
    question = replace(rows_question, time=None, labels=())
    for kind in (pa.list_(pa.list_(pa.float64())), pa.large_list(pa.list_(pa.float32(), 2))):
        table = pa.table({"account": list(groups), "x": pa.array(held, kind)})
        for row, values in zip(answers(question, table.to_batches(), real), held, strict=True):
            assert row["score"] == pytest.approx(file_models.score(model, values), abs=1e-6)
    held[2][0] = [1.0]
    table = pa.table({"account": list(groups), "x": held})
    rows = answers(question, table.to_batches(), real)
    assert [row["reason"] for row in rows] == [None, None, "LENGTHS_DIFFER", None, None, None]


def test_rows_that_cannot_be_explained(rows_question: BulkQuestion, real: str) -> None:
    """Each has its reason, and the others are explained."""
    table = cohorts.nested(cohorts.accounts(10)).to_pylist()
    table[0]["account"] = None
    table[1]["account"] = "row:5"
    table[2]["amount"] = None
    table[3]["amount"] = table[3]["amount"] + [1.0]
    table[4]["amount"] = [*table[4]["amount"][:-1], None]
    table[5]["amount"] = [float("inf"), *table[5]["amount"][1:]]
    table[6] |= {"amount": [], "hour": [], "when": []}
    table[7]["when"] = [None, *table[7]["when"][1:]]
    found = answers(rows_question, pa.Table.from_pylist(table).to_batches(), real)
    assert [(row["id"], row["reason"]) for row in found] == [
        ("row:0", "ID_MISSING"),
        ("row:1", "ID_RESERVED"),
        ("a002", "LENGTHS_DIFFER"),
        ("a003", "LENGTHS_DIFFER"),
        ("a004", "VALUE_MISSING"),
        ("a005", "NOT_A_NUMBER"),
        ("a006", "NO_EVENTS"),
        ("a007", "TIME_MISSING"),
        ("a008", None),
        ("a009", None),
    ]
    assert {row["status"] for row in found} == {"failed", "explained"}


def test_the_first_positive_prediction(rows_question: BulkQuestion, model: Path, real: str) -> None:
    """Against the model itself on every prefix."""
    groups = cohorts.sequences_of(cohorts.accounts(12))
    table = cohorts.nested(cohorts.accounts(12))
    threshold = 0.7305
    question = replace(rows_question, first_positive=threshold)
    for row, group in zip(answers(question, table.to_batches(), real), groups.values(), strict=True):
        values = group[["amount", "hour"]].to_numpy()
        scores = [file_models.score(model, values[:stop]) for stop in range(1, len(values) + 1)]
        above = [stop for stop, score in enumerate(scores, 1) if score > threshold]
        assert row["full_length"] == len(values)
        if not above:
            assert (row["status"], row["first_positive"], row["events"]) == ("below_minimum", None, None)
            continue
        assert (row["status"], row["length"]) == ("explained", above[0])
        assert row["first_positive"] == above[0] - len(values)
        assert row["score"] == pytest.approx(scores[above[0] - 1], abs=1e-6)
        assert row["time"] == group["when"].iloc[above[0] - 1].tz_localize("UTC")


def test_checkpoints(rows_question: BulkQuestion, model: Path, tmp_path: Path, real: str) -> None:
    """Every sequence with every checkpoint, or with its own."""
    trained = onnx.load(model)
    (weights,) = (each for each in trained.graph.initializer if each.name == "w")
    weights.CopyFrom(numpy_helper.from_array(np.array([[0.9], [-0.2]], np.float32), "w"))
    names = file_models.features("amount", "hour")
    other = file_models.written(tmp_path / "late", trained.SerializeToString(), names)
    paths = {"toy": model, "late": other}
    table = cohorts.nested(cohorts.accounts(4))
    table = table.append_column("epoch", pa.array(["toy", "late", None, "late"]))
    template = str(tmp_path / "{checkpoint}" / "model.onnx")
    with pytest.raises(CallerError, match="--checkpoint"):
        replace(rows_question, model=template)
    question = replace(rows_question, model=template, checkpoints=("toy", "late"))
    every = answers(question, table.to_batches(), real)
    assert [(row["checkpoint"], row["variant"]) for row in every[:2]] == [
        ("toy", "checkpoint=toy"),
        ("late", "checkpoint=late"),
    ]
    own = answers(replace(question, checkpoints=(), checkpoint_column="epoch"), table.to_batches(), real)
    assert [row["reason"] for row in own] == [None, None, "CHECKPOINT_MISSING", None]
    for row in [*every, *(row for row in own if row["reason"] is None)]:
        (given,) = (each for each in table.to_pylist() if each["account"] == row["id"])
        values = np.stack([given["amount"], given["hour"]], axis=1)
        assert row["score"] == pytest.approx(file_models.score(paths[row["checkpoint"]], values), abs=1e-6)


def test_checkpoints_with_other_features(
    rows_question: BulkQuestion, model: Path, tmp_path: Path, real: str
) -> None:
    """Columns are matched once, so the features have to be the same."""
    file_models.written(tmp_path / "late", file_models.weighted(2), file_models.features("hour", "amount"))
    template = str(model.parent.parent / "{checkpoint}" / "model.onnx")
    question = replace(rows_question, model=template, checkpoints=("toy", "late"))
    with pytest.raises(CallerError, match=r"late.* other features") as refused:
        answers(question, cohorts.nested(cohorts.accounts(4)).to_batches(), real)
    assert refused.value.reason == "CHECKPOINTS_DIFFER"


def test_wrong_questions_end_the_run(rows_question: BulkQuestion, real: str) -> None:
    """They would meet every sequence, so there is an error and not a failed row for each."""
    batches = cohorts.nested(cohorts.accounts(3)).to_batches()
    for changed, said in (
        ({"options": {"pruning_tolerance": -1.0}}, "pruning_tolerance"),
        ({"background": "nobody-stored-this"}, "nobody-stored-this"),
        ({"target": "nothing"}, "nothing"),
        ({"columns": ("amount", "size")}, "size"),
        ({"background": np.zeros(3)}, "background"),
    ):
        with pytest.raises(CallerError, match=said):
            answers(replace(rows_question, **changed), batches, real)


def test_one_name_instead_of_a_list(rows_question: BulkQuestion) -> None:
    """A text is not taken for a list of its characters; the error shows what to write."""
    batches = cohorts.nested(cohorts.accounts(2)).to_batches()
    with pytest.raises(CallerError, match=r"servers: must be a list .* write \['localhost:50051'\]"):
        list(explain_batches(rows_question, batches, servers="localhost:50051"))
    with pytest.raises(
        CallerError, match=r"labels: must be a tuple of names, not 'fraud'; write \('fraud',\)"
    ):
        replace(rows_question, labels="fraud")  # type: ignore[arg-type] # a mistake of the caller


def test_no_address_stands_for_local_servers(
    rows_question: BulkQuestion, real: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `RunOptions` and on Ray and Spark, an empty list is none; a pool without servers would wait for ever."""
    batches = cohorts.nested(cohorts.accounts(2)).to_batches()
    with named_pool([real]) as pool:
        monkeypatch.setattr(explaining, "shared_pool", lambda: pool)
        for servers in ((), None):
            assert sum(map(len, explain_batches(rows_question, batches, servers=servers))) == 2


def test_a_model_with_several_outputs_needs_a_target(real: str) -> None:
    """And the one that is named is explained."""
    case = BY_NAME["classes"]
    table = pa.table({"events": [case.sample(5)["events"].tolist()]})
    question = BulkQuestion(str(case.path), case.average(), options={"levels": ["event"]})
    with pytest.raises(CallerError, match=r"3 outputs .*--target"):
        answers(question, table.to_batches(), real)
    (row,) = answers(replace(question, target=1), table.to_batches(), real)
    with Sequela(real) as client:
        right = client.score(case.sample(5)["events"], model=case.path).values[0, 1]
    assert (row["target"], row["id"], row["score"]) == ("output1", "0", right)
