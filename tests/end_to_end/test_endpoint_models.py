"""Every model of the matrix behind an endpoint is explained as its file is, within the endpoint's limits."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint_folders import HASTY, reachable, schema_of, write_endpoint, write_local
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME, CASES, Case
from sequela_client import Explanation, Sequela
from serving import Serving, embedded
from sweeps import cases_asked_for, one_of_each_state

LENGTH = 6
OPTIONS: dict[str, Any] = {
    "max_coalitions": 256,
    "target_standard_error": 0.0,
    "estimator": "regression",
    "top_k_events": 2,
    "top_k_features": 1,
}


@dataclass
class Pair:
    """The same models twice: by name from their files, by `served-` and name behind an endpoint."""

    sequela: Sequela
    endpoint: InferenceServer

    def explain(self, case: Case, **options: Any) -> tuple[Explanation, Explanation]:
        """By the file, and by the endpoint."""
        sequence, background = case.sample(LENGTH), case.average()
        asked = {"pruning_tolerance": 0.001, **OPTIONS, **options}
        here, there = (
            self.sequela.explain(sequence, model=name, background=background, **asked)
            for name in (case.name, f"served-{case.name}")
        )
        return here, there


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    cases = cases_asked_for(request, "per_event", "per_event_flat", "batch_four", "transformer")
    models = {case.name: ServedModel(case.path.read_bytes()) for case in cases}
    with tempfile.TemporaryDirectory() as folder, InferenceServer(models) as endpoint:
        root = Path(folder)
        for case in cases:
            write_local(root, case.name, case.path.read_bytes(), schema_of(case))
            write_endpoint(root, f"served-{case.name}", endpoint.uri(case.name), schema_of(case))
        settings = embedded(model_repository=root, **HASTY)
        with Serving(settings) as serving, Sequela(serving.bound.grpc) as sequela:
            reachable(serving, *(f"served-{case.name}" for case in cases))
            yield Pair(sequela, endpoint)


def numbers(answer: Explanation) -> list[float]:
    """All attributions, as they come."""
    return [value for level in answer.levels.values() for each in level.attributions for value in each.values]


@pytest.mark.parametrize("case", one_of_each_state(CASES), ids=str)
def test_a_served_model_is_explained_as_its_file(pair: Pair, case: Case) -> None:
    """Score, base value, the cut, and all attributions of all levels."""
    here, there = pair.explain(case)
    assert there.pruning.pruned_events == here.pruning.pruned_events
    assert [each.kind for level in there.levels.values() for each in level.attributions] == [
        each.kind for level in here.levels.values() for each in level.attributions
    ]
    np.testing.assert_allclose(numbers(there), numbers(here), atol=case.tolerance, rtol=0)
    scores = [(each.score, each.base_value) for each in (there, here)]
    np.testing.assert_allclose(*scores, atol=case.tolerance, rtol=0)
    assert there.cost.endpoint_rows >= there.cost.model_rows > 0


@pytest.mark.parametrize("name", ["per_event", "per_event_flat"])
def test_another_output_event(pair: Pair, name: str) -> None:
    """Of models with an output for each event."""
    here, there = pair.explain(BY_NAME[name], output_event=-2)
    np.testing.assert_allclose(numbers(there), numbers(here), atol=1e-5, rtol=0)


def test_a_fixed_batch_is_filled(pair: Pair) -> None:
    """Every call has the batch's rows, all of which are paid for."""
    pair.endpoint.models["batch_four"].batches.clear()
    _, there = pair.explain(BY_NAME["batch_four"], seed=5)
    batches = pair.endpoint.models["batch_four"].batches
    assert set(batches) == {4}
    assert there.cost.endpoint_rows == sum(batches) > there.cost.model_rows
    assert there.cost.endpoint_calls == len(batches)


def test_equal_rows_are_sent_once(pair: Pair) -> None:
    """Where X is the background in some events and features, they are no players, and coalitions of different levels
    make the same row.
    """
    case = BY_NAME["transformer"]
    model = pair.endpoint.models[case.name]
    average = case.average()
    sequence = case.sample(LENGTH)
    sequence["events"][[0, 2, 5]] = average["events"]
    sequence["events"][:, [1, 2]] = average["events"][[1, 2]]
    seen: list[bytes] = []

    def count(request: Any, context: Any, answer: Any) -> Any:
        rows = int(request.inputs[0].shape[0])
        raw = request.raw_input_contents[0]
        size = len(raw) // rows
        seen.extend(raw[row * size : (row + 1) * size] for row in range(rows))
        return answer()

    pair.explain(case, seed=1)  # the first one also tries rows alone
    pair.endpoint.twists["ModelInfer"] = count
    model.batches.clear()
    answer = pair.sequela.explain(
        sequence, model="served-transformer", background=average, pruning_tolerance=0.0, **OPTIONS
    )
    pair.endpoint.twists.clear()
    witness = sequence["events"].tobytes()
    # The sequence itself is sent once more, with the level of more than 32 rows.
    assert Counter(seen) - Counter(set(seen)) == Counter([witness])
    assert len(seen) == answer.cost.endpoint_rows
    coalitions = sum(level.quality.coalitions for level in answer.levels.values())
    # Three events that matter, each with three columns: a few coalitions are all, and f(X), f(B) and others recur.
    assert all(level.quality.stop_reason == "exact" for level in answer.levels.values())
    assert answer.levels["event"].quality.coalitions == 2**3
    assert answer.levels["event"].quality.null_players == LENGTH - 3
    assert len(seen) < coalitions


def test_limits_of_the_server_and_of_messages(tmp_path: Path) -> None:
    """No call has more rows than a server takes, nor more bytes than a message may have."""
    case = BY_NAME["gru"]
    small = ServedModel(case.path.read_bytes(), max_rows=24)
    wide = ServedModel(case.path.read_bytes())
    with InferenceServer({"small": small, "wide": wide}, triton=True, message_bytes=1 << 16) as endpoint:
        write_endpoint(tmp_path, "small", endpoint.uri("small"))
        write_endpoint(tmp_path, "wide", endpoint.uri("wide"), max_batch_rows=100_000)
        settings = embedded(model_repository=tmp_path, endpoint_message_bytes=1 << 16, **HASTY)
        with Serving(settings) as serving, Sequela(serving.bound.grpc) as sequela:
            reachable(serving, "small", "wide")
            for name in ("small", "wide"):
                answer = sequela.explain(
                    case.sample(40), model=name, background=case.average(), pruning_tolerance=0.0, **OPTIONS
                )
                assert not answer.cut_short
    assert max(small.batches) <= 24
    assert 1 < max(wide.batches) * 40 * 5 * 4 <= 1 << 16
