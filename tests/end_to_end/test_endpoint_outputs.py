"""The output of a served model that is the score, beside labels; and a schema of inputs alone for version 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from endpoint_folders import reachable, serving, write_endpoint, write_local
from inference_rest import RestServer
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME, ROOT
from sequela_client import Explanation, Sequela, SequelaError
from single_rows import SEQUENCE, explained_as_scored

LABEL_FIRST = (ROOT.parent / "cases" / "models" / "label_first.onnx").read_bytes()
GRU = BY_NAME["gru"]
INPUTS = {"inputs": [{"name": "events", "role": "events", "width": 5}]}
"""All that docs/endpoints.md asks for."""


def with_labels(handler: Any, answer: Callable[[], None]) -> None:
    """Every prediction as an object: a label, and its score."""
    say = handler.say

    def labelled(content: bytes, *args: Any, **named: Any) -> None:
        said = json.loads(content)
        rows = said.get("predictions")
        if rows is not None:
            said["predictions"] = [{"label": int(row > 0.5), "score": row} for row in np.ravel(rows).tolist()]
        say(json.dumps(said).encode(), *args, **named)

    handler.say = labelled
    answer()


@pytest.fixture(scope="module")
def models() -> dict[str, ServedModel]:
    return {"labels": ServedModel(LABEL_FIRST), "gru": ServedModel(GRU.path.read_bytes())}


@pytest.fixture(scope="module")
def sequela(models: dict[str, ServedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequela]:
    root = tmp_path_factory.mktemp("endpoints")
    with InferenceServer(models) as grpc, RestServer(models) as rest, RestServer(models) as labels:
        labels.twist = with_labels
        plain = json.dumps(INPUTS).encode()
        write_local(root, "file", LABEL_FIRST)
        write_local(root, "gru", GRU.path.read_bytes())
        write_endpoint(root, "grpc", grpc.uri("labels"))
        write_endpoint(root, "rest", rest.uri("labels"))
        write_endpoint(root, "plain", rest.uri("gru", "v1"), plain, version="", revision="1")
        write_endpoint(root, "mute", labels.uri("gru", "v1"), plain, version="", revision="1")
        said = json.dumps(INPUTS | {"output": "score"}).encode()
        write_endpoint(root, "said", labels.uri("gru", "v1"), said, version="", revision="1")
        wrong = json.dumps(INPUTS | {"output": "probability"}).encode()
        write_endpoint(root, "wrong", labels.uri("gru", "v1"), wrong, version="", revision="1")
        label = json.dumps(INPUTS | {"output": "label"}).encode()
        write_endpoint(root, "label", labels.uri("gru", "v1"), label, version="", revision="1")
        with serving(root) as running, Sequela(running.bound.grpc) as client:
            reachable(running, "grpc", "rest", "plain", "mute", "said", "wrong", "label")
            yield client


def assert_alike(found: Explanation, wanted: Explanation) -> None:
    assert found.score == pytest.approx(wanted.score, abs=1e-6)
    np.testing.assert_allclose(
        [each.values for each in found.events], [each.values for each in wanted.events], atol=1e-5
    )


@pytest.mark.parametrize("name", ["grpc", "rest"])
def test_a_label_is_not_the_score(sequela: Sequela, name: str) -> None:
    """By the datatypes of its metadata: as the file is explained."""
    found, wanted = (explained_as_scored(sequela, each, SEQUENCE) for each in (name, "file"))
    assert_alike(found, wanted)
    assert found.target("output1").score == pytest.approx(0.75, abs=1e-4)
    (warning,) = found.warnings
    assert warning.reason == "OUTPUT_CHOSEN"
    assert "'output_label' INT64" in warning.message


@pytest.mark.parametrize("name", ["plain", "said"])
def test_version_1_with_what_its_page_asks_for(sequela: Sequela, name: str) -> None:
    """A schema of inputs alone; where predictions have names, the one that a schema says."""
    sequence = GRU.sample(5)["events"]
    assert_alike(explained_as_scored(sequela, name, sequence), explained_as_scored(sequela, "gru", sequence))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mute",
            r"predictions have the outputs 'label', 'score'; name the one that is the score.*\{\"output\": \"score\"\}",
        ),
        ("wrong", "predictions have no output 'probability'; they have 'label', 'score'"),
    ],
)
def test_labels_beside_scores_in_version_1(sequela: Sequela, name: str, words: str) -> None:
    """Never the first: the names are listed, and how to say which."""
    with pytest.raises(SequelaError, match=words) as caught:
        explained_as_scored(sequela, name, GRU.sample(5)["events"])
    assert caught.value.reason == "ENDPOINT_ANSWER_INVALID"


def test_class_labels_of_an_endpoint_without_metadata_are_noticed(sequela: Sequela) -> None:
    """They can be explained, but the answer says what they are; scores have no such warning."""
    sequence = GRU.sample(5)["events"]
    found = explained_as_scored(sequela, "label", sequence)
    assert found.score in (0, 1)
    (warning,) = found.warnings
    assert warning.reason == "OUTPUT_OF_WHOLE_NUMBERS"
    assert "class labels" in warning.message
    assert not explained_as_scored(sequela, "said", sequence).warnings
