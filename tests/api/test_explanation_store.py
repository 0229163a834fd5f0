"""Explanations found again through the service: with their sequences, by score, after a restart, until deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from adapters.store.sqlite.files import database
from api.rpc_calls import background, explain_request, register, sequence
from google.protobuf.timestamp_pb2 import Timestamp
from sequela import bootstrap
from sequela.adapters.store.ports import Store
from sequela.adapters.store.sqlite.store import file_store
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, in_process


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server whose explanations are those of this module."""
    with Serving(in_process()) as server:
        yield server


def explain(server: Serving, seed: int, **changed: object) -> pb.Explanation:
    """Explains one sequence, at little cost."""
    options = pb.ExplainOptions(levels=[pb.LEVEL_EVENT], max_coalitions=128)
    request = explain_request(sequence=sequence(seed), options=options, **changed)
    return server.explanations.Explain(request).explanation


def listed(server: Serving, **wanted: object) -> list[str]:
    """Returns the names in a list."""
    found = server.explanations.ListExplanations(pb.ListExplanationsRequest(page_size=100, **wanted))
    return [each.name for each in found.explanations]


def delete(server: Serving, **selector: object) -> int:
    """Deletes, and returns how many were deleted."""
    return server.explanations.DeleteExplanation(pb.DeleteExplanationRequest(**selector)).deleted


def failure(server: Serving, **selector: object) -> Failure:
    """Returns the error of a deletion."""
    with pytest.raises(grpc.RpcError) as caught:
        delete(server, **selector)
    return Failure(caught.value)


def test_the_sequence_comes_back_as_it_was_sent(serving: Serving) -> None:
    """Values, names and notes; explaining it again is the same question."""
    sent = sequence(1)
    sent.inputs[0].columns[:] = [f"column {number}" for number in range(5)]
    for number in range(6):
        info = pb.EventInfo(
            id=f"t{number}", time=Timestamp(seconds=number), display={"Amount": f"{number} €"}
        )
        sent.events.append(info)
    made = serving.explanations.Explain(explain_request(sequence=sent, caller_id="alert")).explanation
    found = serving.explanations.GetExplanation(pb.GetExplanationRequest(name=made.name))
    assert found.explanation == made
    assert found.sequence_state == pb.SEQUENCE_STATE_KEPT
    assert found.sequence == sent
    again = serving.explanations.Explain(
        explain_request(sequence=found.sequence, caller_id="alert")
    ).explanation
    assert again.name == made.name
    assert again.cost.cached
    again.cost.CopyFrom(made.cost)
    assert again == made


def test_sequences_are_not_kept_if_the_operator_says_so() -> None:
    """The answer says that they are not."""
    with Serving(in_process(keep_sequences=False)) as server:
        made = explain(server, 1)
        found = server.explanations.GetExplanation(pb.GetExplanationRequest(name=made.name))
        assert found.explanation == made
        assert not found.HasField("sequence")
        assert found.sequence_state == pb.SEQUENCE_STATE_NOT_KEPT


def test_lists_are_filtered_by_the_score_as_the_model_returned_it(serving: Serving) -> None:
    """Bounds are inclusive, and go with the other filters."""
    made = [explain(serving, seed, caller_id="by score") for seed in range(6)]
    scores = sorted((each.targets[0].raw_score, each.name) for each in made)
    low, high = scores[1][0], scores[4][0]
    assert set(listed(serving, caller_id="by score", min_score=low)) == {name for _, name in scores[1:]}
    assert set(listed(serving, caller_id="by score", max_score=high)) == {name for _, name in scores[:5]}
    inside = listed(serving, caller_id="by score", min_score=low, max_score=high)
    assert set(inside) == {name for _, name in scores[1:5]}
    assert listed(serving, caller_id="by score", min_score=np.nextafter(scores[5][0], 9)) == []


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"min_score": 1.0, "max_score": 0.5}, "max_score"),
        ({"min_score": float("nan")}, "min_score"),
        ({"max_score": float("nan")}, "max_score"),
    ],
)
def test_bounds_that_no_score_can_meet_are_refused(
    serving: Serving, bounds: dict[str, float], field: str
) -> None:
    """By the name of the field."""
    with pytest.raises(grpc.RpcError) as caught:
        listed(serving, **bounds)
    assert set(Failure(caught.value).violations) == {field}


def test_what_is_deleted_is_gone(serving: Serving) -> None:
    """By name, by caller id, by label; from Get, from lists, and as an answer to the same question."""
    made = [
        explain(serving, 20 + seed, caller_id=f"person {seed % 2}", labels={"case": str(seed // 2)})
        for seed in range(8)
    ]
    names = [each.name for each in made]
    assert delete(serving, name=names[0]) == 1
    assert delete(serving, caller_id="person 1") == 4
    assert delete(serving, label=pb.Label(key="case", value="3")) == 1
    left = {names[2], names[4]}
    assert set(listed(serving)) & set(names) == left
    for each in names:
        if each in left:
            assert serving.explanations.GetExplanation(pb.GetExplanationRequest(name=each)).explanation
        else:
            with pytest.raises(grpc.RpcError) as caught:
                serving.explanations.GetExplanation(pb.GetExplanationRequest(name=each))
            assert Failure(caught.value).reason == "EXPLANATION_NOT_FOUND"
    again = explain(serving, 21, caller_id="person 1", labels={"case": "0"})
    assert not again.cost.cached
    assert delete(serving, name=names[0]) == delete(serving, caller_id="nobody") == 0


@pytest.mark.parametrize(
    ("selector", "reason", "field"),
    [
        ({}, "SELECTOR_MISSING", "selector"),
        ({"name": "nope"}, "NAME_INVALID", "name"),
        ({"caller_id": ""}, "SELECTOR_MISSING", "caller_id"),
        ({"caller_id": "x" * 257}, "TEXT_TOO_LONG", "caller_id"),
        ({"label": pb.Label(value="v")}, "SELECTOR_MISSING", "label.key"),
        ({"label": pb.Label(key="k", value="x" * 257)}, "TEXT_TOO_LONG", "label.value"),
    ],
)
def test_a_deletion_of_nothing_in_particular_is_refused(
    serving: Serving, selector: dict[str, object], reason: str, field: str
) -> None:
    """And deletes nothing."""
    explain(serving, 9)
    before = listed(serving)
    found = failure(serving, **selector)
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert (found.reason, set(found.violations)) == (reason, {field})
    assert listed(serving) == before != []


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """Explanations, answers, backgrounds, uploaded models and deletions; the answer says that it was stored before."""
    settings = in_process(store=str(tmp_path / "folder" / "store.db"))
    named = pb.ModelReference(name="uploaded")
    with Serving(settings) as server:
        register(server, "uploaded")
        header = pb.CreateBackgroundHeader(name="models/uploaded/backgrounds/b")
        parts = [
            pb.CreateBackgroundRequest(header=header),
            pb.CreateBackgroundRequest(values=background().values),
        ]
        server.backgrounds.CreateBackground(iter(parts))
        made = explain(server, 1, model=named, caller_id="kept")
        explain(server, 2, model=named, caller_id="deleted")
        assert delete(server, caller_id="deleted") == 1
    with Serving(settings) as server:
        assert listed(server) == [made.name]
        found = server.explanations.GetExplanation(pb.GetExplanationRequest(name=made.name))
        assert found.explanation == made
        again = explain(server, 1, model=named, caller_id="kept")
        assert again.cost.cached
        assert (again.name, again.create_time) == (made.name, made.create_time)
        by_name = pb.BackgroundReference(name="models/uploaded/backgrounds/b")
        assert explain(server, 1, model=named, background=by_name, caller_id="kept").cost.cached


def test_explanations_go_on_while_the_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted as not kept; the store says that it is down, and is up again afterwards."""
    opened: list[Store] = []

    def opening(*arguments: object) -> Store:
        opened.append(file_store(*arguments))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(bootstrap, "file_store", opening)
    with Serving(in_process(store=str(tmp_path / "store.db"))) as server:
        connection = database(opened[0])._connection

        def metric(name: str, **labels: str) -> float | None:
            return server.wired.metrics.registry.get_sample_value(name, labels)

        assert metric("sequela_store_up", store="file") == 1
        connection.execute("PRAGMA query_only = ON")
        assert explain(server, 1).HasField("event_level")
        assert metric("sequela_store_not_kept_total") == 1
        assert metric("sequela_store_up", store="file") == 0
        assert listed(server) == []
        connection.execute("PRAGMA query_only = OFF")
        assert not explain(server, 1).cost.cached
        assert metric("sequela_store_up", store="file") == 1
        assert len(listed(server)) == 1
