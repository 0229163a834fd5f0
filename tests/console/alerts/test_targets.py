"""The list and the export of decisions, for another target of a model than its first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import inference_calls
from console.running_console import running_console
from matrix import BY_NAME, copy_models
from sequela_client.client import Sequela
from sequela_client.explanation import Explanation
from serving import Serving, embedded

MODEL = "classes"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a model that says three things."""
    root = copy_models(tmp_path_factory.mktemp("models"), (MODEL,))
    with Serving(embedded(model_repository=root)) as running:
        inference_calls.create_background(running, BY_NAME[MODEL])
        yield running


@pytest.fixture(scope="module")
def answers(service: Serving) -> tuple[Explanation, ...]:
    """Three stored explanations."""
    samples = (BY_NAME[MODEL].sample(length, length) for length in (4, 5, 6))
    with Sequela(service.bound.grpc) as client:
        return tuple(client.explain(each, model=MODEL, background="usual") for each in samples)


@pytest.fixture
def http(service: Serving, answers: tuple[Explanation, ...], tmp_path: Path) -> Iterator[httpx.Client]:
    assert len(answers) == 3
    with (
        running_console(service.bound.grpc, tmp_path) as console,
        httpx.Client(base_url=console.url, timeout=60) as client,
    ):
        console.console.index.refresh()
        yield client


def listed(http: httpx.Client, **query: str) -> list[dict[str, Any]]:
    answer = http.get("/api/alerts", params=query)
    assert answer.status_code == 200, answer.text
    alerts: list[dict[str, Any]] = answer.json()["alerts"]
    return alerts


def test_scores_are_those_of_the_target(http: httpx.Client, answers: tuple[Explanation, ...]) -> None:
    """Score, base value, order, filter, neighbours and reasons, as the explanations say; and what can be chosen."""
    targets = answers[0].targets
    assert len(targets) > 1
    assert [each["name"] for each in http.get("/api/alerts").json()["facets"]["targets"]] == sorted(
        each.name for each in targets
    )
    # The order of targets differs between answers.
    for target in targets:
        scores = {
            answer.name.rpartition("/")[2]: next(each for each in answer.targets if each.name == target.name)
            for answer in answers
        }
        found = listed(http, target=target.name, sort="score")
        assert [each["id"] for each in found] == sorted(
            scores, key=lambda id: (scores[id].raw_score, id), reverse=True
        )
        for each in found:
            assert (each["target"], each["score"]) == (target.name, scores[each["id"]].raw_score)
            assert each["base"] == scores[each["id"]].raw_base_value
        middle = found[1]["score"]
        assert [
            each["id"] for each in listed(http, target=target.name, min_score=repr(middle), sort="score")
        ] == [each["id"] for each in found[:2]]
        beside = http.get(
            f"/api/alerts/{found[1]['id']}/neighbours", params={"target": target.name, "sort": "score"}
        )
        assert beside.json() == {
            "previous": found[0]["id"],
            "next": found[2]["id"],
            "position": 2,
            "total": 3,
        }
    assert listed(http, target="nobody") == []
    first = {answer.name.rpartition("/")[2]: answer.targets[0].name for answer in answers}
    assert {each["id"]: each["target"] for each in listed(http)} == first


def test_exported_scores_are_those_of_the_target(
    http: httpx.Client, answers: tuple[Explanation, ...]
) -> None:
    id = answers[0].name.rpartition("/")[2]
    assert (
        http.post(f"/api/alerts/{id}/labels", json={"verdict": "fraud", "previous": None}).status_code == 200
    )
    first, second = answers[0].targets[:2]
    for query, target in (("", first), (f"?target={second.name}", second)):
        (row,) = http.get(f"/api/labels.json{query}").json()
        assert (row["target"], row["score"]) == (target.name, target.raw_score)
        assert f",{target.raw_score!r}," in http.get(f"/api/labels.csv{query}").text
    assert http.get("/api/labels.json?target=nobody").json() == []
