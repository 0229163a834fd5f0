"""The same models behind an endpoint: what a file is tried for at load, a served model must be tried for, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from endpoint_folders import serving, write_endpoint
from field import models
from field.asking import SEQUENCE, assert_true, or_refused
from field.truth import truth
from inference_server import InferenceServer, ServedModel
from sequela_client import Explanation, Sequela, SequelaError

TOGETHER: dict[str, Callable[[], bytes]] = {
    "normalised": models.normalised_over_the_batch,
    "softmax": models.attention_over_the_batch,
    "int8": models.quantised,
}
RANDOM: dict[str, Callable[[], bytes]] = {
    "dropout": models.dropout_left_on,
    "noise": models.noise_in_the_graph,
    "drawn": models.sampled_class,
}
RIGHT: dict[str, Callable[[], bytes]] = {
    "branch": models.branch_on_length,
    "squeezed": lambda: models.squeezed_everywhere(["n"]),
}
TURNED: dict[str, Callable[[], bytes]] = {"labelling": models.labelling}


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequela]:
    """A client of a server that explains what another server runs."""
    root = tmp_path_factory.mktemp("endpoints")
    served = {name: ServedModel(build()) for name, build in (TOGETHER | RANDOM | RIGHT | TURNED).items()}
    with InferenceServer(served) as endpoint:
        for name in served:
            write_endpoint(root, name, endpoint.uri(name))
        with serving(root) as running, Sequela(running.bound.grpc, timeout=30) as client:
            yield client


def asked(peer: Sequela, name: str) -> Explanation:
    return peer.explain(
        SEQUENCE,
        model=name,
        background=np.zeros(3),
        levels=["event"],
        pruning_tolerance=0,
        target_standard_error=0,
    )


def test_habits_are_explained_rightly_behind_an_endpoint(peer: Sequela) -> None:
    """A branch on the number of events."""
    assert_true(asked(peer, "branch"), truth(RIGHT["branch"](), SEQUENCE))


# needs: models-out, a served model's rows are compared with rows sent alone, when it is first used or at every
# explanation (one row more). Before: explained as "exact", 0.40604 where score() said 0.46016.
@pytest.mark.parametrize("name", TOGETHER)
def test_rows_that_influence_each_other_behind_an_endpoint(peer: Sequela, name: str) -> None:
    """The truth of rows sent alone, or a refusal that names the batch."""
    answer = or_refused(lambda: asked(peer, name), "batch|influence|one at a time")
    if answer is not None:
        assert_true(answer, truth(TOGETHER[name](), SEQUENCE))


# needs: models-out, a served model is sent one row twice. Before: explained as "exact", with other numbers every time.
@pytest.mark.parametrize("name", RANDOM)
def test_models_that_do_not_repeat_behind_an_endpoint(peer: Sequela, name: str) -> None:
    """Refused, with what to do."""
    answer = or_refused(lambda: asked(peer, name), r"eval\(\)|random|determin|repeat|twice|chance")
    assert answer is None, f"explained: {answer.base_value} -> {answer.score}"


def test_a_squeeze_of_everything_behind_an_endpoint(peer: Sequela) -> None:
    """A call of one row has an output without axes; it is that row's score, as it is in a file."""
    content = RIGHT["squeezed"]()
    assert_true(asked(peer, "squeezed"), truth(content, SEQUENCE))


# Before: "the model gives 20 outputs for 1 targets", and nothing to do about it.
def test_steps_behind_classes_need_a_transpose(peer: Sequela) -> None:
    """(n, 4, l) behind an endpoint: the way out is named."""
    with pytest.raises(SequelaError, match=r"along its last axis.*with a Transpose in the end"):
        asked(peer, "labelling")
