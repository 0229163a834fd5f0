"""Models that exporters wrote, as docs/exporting.md says: the client explains the files as they are, and rightly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from brute_force import Attributions
from exported_models import FOLDER, MODELS, Exported
from sequela_client import Explanation, Sequela, SequelaError
from serving import Serving

from models.exported.export import MODELS as MADE
from models.exported.export import digest
from models.exported.page import PAGE, snippets


@cache
def truth(name: str) -> Attributions:
    """By brute force."""
    return next(model for model in MODELS if model.name == name).truth(FOLDER / name)


@pytest.fixture(scope="module")
def sequela(server: Serving) -> Iterator[Sequela]:
    with Sequela(server.bound.grpc) as client:
        yield client


def explained(sequela: Sequela, model: Exported) -> Explanation:
    """By its file, with nothing pruned."""
    path = FOLDER / model.name / "model.onnx"
    sequence, background = model.sequence, model.background
    return sequela.explain(sequence, model=path, background=background, pruning_tolerance=0)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_what_exporters_write_is_explained_rightly(sequela: Sequela, model: Exported) -> None:
    """Score, base value and every attribution are those of all coalitions, run one at a time by onnxruntime."""
    right = truth(model.name)
    e = explained(sequela, model)
    order = [e.target(target.name) for target in sorted(e.targets, key=lambda target: target.name)]
    assert [each.score for each in order] == pytest.approx(right.score, abs=1e-5)
    assert [each.base_value for each in order] == pytest.approx(right.base, abs=1e-5)
    for event in e.events:
        found = [each.events[-event.t].value for each in order]
        assert found == pytest.approx(right.of("event", event.t), abs=1e-5)
    if e.static:
        assert e.static.value == pytest.approx(right.of("static")[0], abs=1e-5)
    assert len(e.events) == model.length


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(each, marks=() if each.name in ("pytorch", "several-inputs") else pytest.mark.slow)
        for each in MODELS
    ],
    ids=str,
)
def test_the_score_explained_is_the_score(sequela: Sequela, model: Exported) -> None:
    """`explain` and `score` agree about each of these files."""
    scores = sequela.score(model.sequence, model=FOLDER / model.name / "model.onnx")
    e = explained(sequela, model)
    by_name = dict(zip(scores.targets, scores.values[0], strict=True))
    assert {each.name: each.raw_score for each in e.targets} == pytest.approx(by_name, abs=1e-7)


def test_a_fixed_time_axis_names_the_way_out(sequela: Sequela, tmp_path: Path) -> None:
    """What torch's exporter writes where no axes are named: more events, or fewer, are told how to export again."""
    path = tmp_path / "model.onnx"
    model = onnx.load(FOLDER / "fixed-length" / "model.onnx")
    onnx.save(model, path)
    with pytest.raises(SequelaError, match=r"fixed time axis of 12.*dynamic_shapes") as many:
        sequela.score(np.zeros((13, 3)), model=path)
    with pytest.raises(SequelaError, match=r'"padding" to "left".*export') as few:
        sequela.score(np.zeros((5, 3)), model=path)
    assert (many.value.reason, few.value.reason) == ("TOO_MANY_EVENTS", "PADDING_UNKNOWN")


def test_the_models_are_those_of_the_page() -> None:
    """Each was made by the code that the page shows today; `make models` makes them again."""
    named = snippets(PAGE.read_text())
    made = json.loads((FOLDER / "programs.json").read_text())
    assert made == {name: digest(named, name) for name in MADE}
    assert {model.name for model in MODELS} == MADE.keys()


def test_the_files_are_what_exporters_write_by_default() -> None:
    """The weights of torch's default export lie beside the model, and are needed."""
    with_weights = {path.parent.name for path in FOLDER.glob("*/model.onnx.data")}
    assert {"pytorch", "lightning", "several-inputs"} <= with_weights
    assert all((FOLDER / name / "model.onnx.data").stat().st_size for name in with_weights)


def test_every_brute_force_depends_on_every_event() -> None:
    """A file that holds one step only, as some exporters write, would be caught: no event is worth nothing."""
    for model in MODELS:
        if model.name not in ("scikit-learn", "lightgbm"):
            assert np.all(np.abs(truth(model.name).values) > 1e-6), model.name
