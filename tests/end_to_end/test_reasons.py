"""A model with attention and reason templates, through the public door: gRPC, REST, the store, new templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from adapters.onnx.test_event_weights import attention, events, softmax
from sequela_client import CallerError, Sequela
from serving import Serving, embedded
from waiting import PATIENCE

SCHEMA: dict[str, Any] = {
    "features": [{"name": name, "columns": {"x": [at]}} for at, name in enumerate("abcd")],
    "targets": [{"name": "fraud"}],
    "background": {"x": [0.0, 0.0, 0.0, 0.0]},
    "event_weights": "alpha",
    "reasons": {"version": 7, "templates": [{"feature": "*", "text": "{label} was {value} at {time}."}]},
}
SEQUENCE = events(6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "attention" / "1"
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(attention())
    (place / "schema.json").write_text(json.dumps(SCHEMA))
    return tmp_path


@pytest.fixture
def serving(folder: Path) -> Iterator[Serving]:
    with Serving(embedded(model_repository=folder)) as running:
        yield running


@pytest.fixture
def sequela(serving: Serving) -> Iterator[Sequela]:
    with Sequela(serving.bound.grpc) as client:
        yield client


def test_the_answer_has_reasons_and_weights(sequela: Sequela) -> None:
    """Each sentence has the value and event of its cell; the model says which templates and output it has."""
    answer = sequela.explain(SEQUENCE, model="attention", pruning_tolerance=0, cell_threshold=0)
    assert 0 < len(answer.reasons) <= 4
    cells = {(cell.t, cell.feature): cell for cell in answer.cells if cell.kind == "cell"}
    for reason in answer.reasons:
        cell = cells[reason.t, reason.feature]
        assert (reason.value, reason.standard_error) == (cell.value, cell.standard_error)
        assert reason.t is not None
        assert reason.feature is not None
        value = SEQUENCE[reason.t - 1, "abcd".index(reason.feature)]
        assert reason.text.startswith(f"{reason.feature} was {value:.2f} at the ")
        assert (reason.template, reason.template_version) == ("templates[0]", "7")
    np.testing.assert_allclose(answer.event_weights, softmax(SEQUENCE.mean(axis=1)), rtol=1e-5)
    model = sequela.get_model("attention")
    assert (model.reasons_version, model.event_weights) == ("7", "alpha")
    stored = sequela.get_explanation(answer.name)
    assert (stored.reasons, stored.event_weights) == (answer.reasons, answer.event_weights)


def test_rest_gives_the_same(serving: Serving, sequela: Sequela) -> None:
    """KServe's `:explain` and the Open Inference Protocol's `explanation` are the JSON of the same message."""
    answer = sequela.explain(SEQUENCE, model="attention")
    body = {"instances": [SEQUENCE.tolist()]}
    url = f"http://{serving.bound.http}/v1/models/attention:explain"
    (found,) = httpx.post(url, json=body, timeout=PATIENCE, trust_env=False).json()["explanations"]
    assert [each["text"] for each in found["reasons"]] == [each.text for each in answer.reasons]
    np.testing.assert_allclose(found["event_weights"], answer.event_weights, rtol=1e-12)


def test_new_templates_are_used_at_once(folder: Path, serving: Serving, sequela: Sequela) -> None:
    """The same sequence under a schema with other words is another model: no stored sentence is given."""
    before = sequela.explain(SEQUENCE, model="attention")
    schema = SCHEMA | {"reasons": {"version": "8", "templates": [{"feature": "*", "text": "See {label}."}]}}
    changed = folder / "changed" / "model.onnx"
    changed.parent.mkdir()
    changed.write_bytes(attention())
    changed.with_name("schema.json").write_text(json.dumps(schema))
    after = sequela.explain(SEQUENCE, model=changed)
    assert [each.value for each in before.reasons] == [each.value for each in after.reasons]
    assert {each.template_version for each in after.reasons} == {"8"}
    assert all(each.text.startswith("See ") for each in after.reasons)
    assert before.model_digest != after.model_digest


def test_a_template_with_an_unknown_placeholder_is_refused(folder: Path, sequela: Sequela) -> None:
    """When the model is sent, with its place in the schema."""
    wrong = {"version": 1, "templates": [{"feature": "a", "text": "{amount}"}]}
    (folder / "schema.json").write_text(json.dumps(SCHEMA | {"reasons": wrong}))
    (folder / "model.onnx").write_bytes(attention())
    with pytest.raises(CallerError, match=r"reasons\.templates\[0\]\.text: \{amount\} is not a placeholder"):
        sequela.explain(SEQUENCE, model=folder / "model.onnx")
