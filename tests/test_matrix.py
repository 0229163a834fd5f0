"""The matrix says the truth about the committed models, and the models make games worth testing on."""

from __future__ import annotations

import json

import numpy as np
import onnx
import player_sets
import pytest
from brute_force import attributions
from matrix import BY_NAME, CASES, ROOT, Case
from sweeps import one_of_a_kind

MAX_BYTES = 100_000


def test_every_committed_model_has_a_case_and_every_case_a_model() -> None:
    """Neither a model that no test sweeps nor a case without a file."""
    assert {folder.name for folder in ROOT.iterdir() if folder.is_dir()} == set(BY_NAME)
    assert all(case.path.is_file() for case in CASES)


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_a_fixture_is_small_standard_and_whole(case: Case) -> None:
    """At most 100 kB, ONNX's own operators from opset 17, no external data, no trace of where it was made."""
    payload = case.path.read_bytes()
    model = onnx.load_from_string(payload)
    onnx.checker.check_model(model, full_check=True)
    assert len(payload) <= MAX_BYTES
    assert all(opset.domain in ("", "ai.onnx") and opset.version >= 17 for opset in model.opset_import)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not any(part.doc_string or part.metadata_props for part in model.graph.node)


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_a_case_scores_its_samples(case: Case) -> None:
    """Finite scores, one a target, at any length the model takes, in batches of more than one."""
    for length in (1, 2, 8):
        rows = [case.sample(length, seed) for seed in range(3)]
        scores = case.scorer()({name: np.stack([row[name] for row in rows]) for name in rows[0]})
        assert scores.shape == (3, len(case.targets))
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("case", one_of_a_kind(case for case in CASES if case.name != "constant"), ids=str)
def test_a_case_is_a_game_in_which_players_matter(case: Case) -> None:
    """The strongest event's attribution is a thousand times the tolerance at least, and events interact."""
    x, background = case.sample(5), case.background(5)
    players = player_sets.events(case.layout(5))
    result = attributions(case.scorer(), x, background, players)
    alone = [attributions(case.scorer(), x, background, [player]) for player in players]
    marginal = np.array([one.score - one.base for one in alone])
    assert abs(result.values).max() > 1000 * case.tolerance
    assert abs(marginal - result.values).max() > 100 * case.tolerance


def test_the_constant_model_is_constant() -> None:
    """0.3 for whatever events, of whatever length."""
    case = BY_NAME["constant"]
    scores = [case.scorer()({"events": case.sample(length, length)["events"][None]}) for length in (1, 5, 30)]
    assert np.concatenate(scores) == pytest.approx(np.full((3, 1), 0.3))


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_a_schema_file_says_what_the_matrix_says(case: Case) -> None:
    """Inputs, features, targets, padding and per-event output agree, wherever there is a schema.json."""
    path = case.path.with_name("schema.json")
    assert path.exists() == case.has_schema
    if not case.has_schema:
        return
    schema = json.loads(path.read_text())
    described = [
        (i["name"], i["role"], i.get("width", 1), i["dtype"], i.get("pad_value", 0)) for i in schema["inputs"]
    ]
    assert described == [(i.name, i.role, i.width, i.dtype, i.pad_value) for i in case.inputs]
    assert {f["name"]: f["columns"] for f in schema["features"]} == case.features
    assert [target["name"] for target in schema["targets"]] == list(case.targets)
    assert schema.get("padding") == (case.padding if case.steps else None)
    assert schema.get("per_event", False) == case.per_event


@pytest.mark.parametrize("case", one_of_a_kind(CASES), ids=str)
def test_the_graph_takes_what_the_matrix_says(case: Case) -> None:
    """Input names and order, element types, and which of batch and length are fixed."""
    graph = onnx.load(case.path).graph
    assert [tensor.name for tensor in graph.input] == [i.name for i in case.inputs]
    for tensor, declared in zip(graph.input, case.inputs, strict=True):
        kind = tensor.type.tensor_type
        assert onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type) == np.dtype(declared.dtype)
        assert kind.shape.dim[0].dim_value == (case.batch or 0)
        if declared.role in ("events", "mask"):
            assert kind.shape.dim[1].dim_value == (case.steps or 0)
