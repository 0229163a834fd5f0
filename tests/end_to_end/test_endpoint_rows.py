"""Served models whose rows influence each other, or that roll dice: noticed in the first explanation, and refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from end_to_end.test_rows_of_a_batch import CHANCE, COUPLED
from endpoint_folders import reachable, serving, write_endpoint
from inference_server import InferenceServer, ServedModel
from sequela_client import Explanation, Sequela, SequelaError
from single_rows import SEQUENCE, assert_true, truth
from small_onnx import FLOAT, model, reduced, value

PLAIN = model(
    [reduced("x", "score", [1, 2])], [value("x", FLOAT, ["n", "l", 3])], [value("score", FLOAT, ["n"])]
)
ALONE = "-alone"
BY_NAME = {
    name.replace(" ", "-"): content
    for name, (content, _) in {**COUPLED, **CHANCE}.items()
    if "batch normalisation" not in name
} | {"plain": PLAIN}


@pytest.fixture(scope="module")
def models() -> dict[str, ServedModel]:
    return {f"{name}{end}": ServedModel(content) for name, content in BY_NAME.items() for end in ("", ALONE)}


@pytest.fixture(scope="module")
def sequela(models: dict[str, ServedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequela]:
    root = tmp_path_factory.mktemp("endpoints")
    with InferenceServer(models) as endpoint:
        for name in models:
            terms = {"max_batch_rows": 1} if name.endswith(ALONE) else {}
            write_endpoint(root, name, endpoint.uri(name), **terms)
        with serving(root) as running, Sequela(running.bound.grpc) as client:
            reachable(running, *models)
            yield client


def explained(sequela: Sequela, name: str, seed: int = 0) -> Explanation:
    return sequela.explain(
        SEQUENCE,
        model=name,
        background=np.zeros(3),
        levels=["event"],
        pruning_tolerance=0,
        target_standard_error=0,
        seed=seed,
    )


@pytest.mark.parametrize("name", COUPLED)
def test_rows_that_influence_each_other(sequela: Sequela, name: str) -> None:
    """Refused, with both scores and the way out; which gives the truth."""
    name, content = name.replace(" ", "-"), COUPLED[name][0]
    with pytest.raises(SequelaError, match=r"influence each other\. Set max_batch_rows = 1 in") as caught:
        explained(sequela, name)
    assert caught.value.reason == "MODEL_ROWS_COUPLED"
    assert_true(explained(sequela, f"{name}{ALONE}"), truth(content, "score"))


@pytest.mark.parametrize("name", [name for name in CHANCE if "batch normalisation" not in name])
def test_chance(sequela: Sequela, name: str) -> None:
    """Refused: the same row scores differently each time."""
    with pytest.raises(SequelaError, match=r"the same sequence .* and .*model\.eval\(\)") as caught:
        explained(sequela, name.replace(" ", "-"))
    assert caught.value.reason == "MODEL_NOT_DETERMINISTIC"


def test_three_rows_once(sequela: Sequela, models: dict[str, ServedModel]) -> None:
    """What the look costs: three rows of the first explanation, counted; none of those that follow."""
    answers = [explained(sequela, "plain", seed) for seed in range(3)]
    assert [answer.cost.endpoint_rows for answer in answers] == [35, 32, 32]
    assert sum(models["plain"].batches) == 99
    for answer in answers:
        assert_true(answer, truth(PLAIN, "score"))
