"""Dry runs: computed anew whatever is stored, and never stored; otherwise the same answers, by every way in."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from api.inference_calls import infer_request, stub, tensors
from api.rpc_calls import COLUMNS, EVENTS, background, explain_request, inline, sequence
from asking import Watched, explainer, loaded, question
from endpoint_folders import reachable, write_endpoint
from google.protobuf.message import Message
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME, ROOT
from sequela.concurrency.deadline import Deadline
from sequela.explain.request import ExplainRequest
from sequela_client import AsyncSequela, Sequela
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded, in_process
from waiting import PATIENCE

NAMED = pb.ModelReference(name="gru")
OWN = {"name", "create_time", "cost", "time"}
"""The fields that belong to one answer, or depend on the time."""


@pytest.fixture(scope="module", params=[0, 1], ids=["here", "engines"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with the model `gru`, in its own process or in an engine."""
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "gru", root / "gru")
    with Serving(in_process(engines=request.param, model_repository=root)) as found:
        parts = [
            pb.CreateBackgroundRequest(header=pb.CreateBackgroundHeader(name="models/gru/backgrounds/usual")),
            pb.CreateBackgroundRequest(values=background().values),
        ]
        found.backgrounds.CreateBackground(iter(parts))
        yield found


def explain(server: Serving, seed: int, **changed: Any) -> pb.Explanation:
    asked = explain_request(**{"model": NAMED, "sequence": sequence(seed), **changed})
    return server.explanations.Explain(asked).explanation


def content(found: pb.Explanation) -> bytes:
    """Returns the bytes of an explanation without the fields that are an answer's own."""
    copy = pb.Explanation()
    copy.CopyFrom(found)
    _clear(copy)
    return copy.SerializeToString(deterministic=True)


def _clear(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in OWN and not (field.name == "name" and message.DESCRIPTOR.name != "Explanation"):
            message.ClearField(field.name)
        elif field.message_type and not field.is_repeated:
            _clear(value)


def listed(server: Serving) -> list[str]:
    found = server.explanations.ListExplanations(pb.ListExplanationsRequest(page_size=1000))
    return [each.name for each in found.explanations]


@pytest.mark.parametrize("model", [NAMED, inline()], ids=["named", "sent"])
def test_what_is_stored_is_neither_used_nor_changed(server: Serving, model: pb.ModelReference) -> None:
    """The model runs again, the answer has no name, and everything else is the same bytes."""
    changed = {"model": model, "caller_id": "alert", "labels": {"a": "b"}}
    stored = explain(server, 1, **changed)
    before = listed(server)
    tried = explain(server, 1, dry_run=True, **changed)
    assert (tried.name, tried.cost.cached, tried.cost.model_rows > 0) == ("", False, True)
    assert content(tried) == content(stored)
    assert listed(server) == before
    assert explain(server, 1, **changed).cost.cached


def test_a_dry_run_leaves_nothing_behind(server: Serving) -> None:
    """Neither in the list, nor for the next equal request, dry or not."""
    before = listed(server)
    first, second = (explain(server, 2, caller_id="tried", dry_run=True) for _ in range(2))
    assert (second.cost.cached, content(second)) == (False, content(first))
    assert listed(server) == before
    kept = explain(server, 2, caller_id="tried")
    assert not kept.cost.cached
    assert listed(server) == [kept.name, *before]


def test_dry_runs_of_a_stream(server: Serving) -> None:
    """Each request of a stream says for itself whether it is one."""
    asked = explain_request(model=NAMED, sequence=sequence(3))
    tried = explain_request(model=NAMED, sequence=sequence(3), dry_run=True)
    items = (pb.ExplainStreamRequest(request=each) for each in (asked, tried, asked))
    first, dry, again = [each.explanation for each in server.explanations.ExplainStream(items)]
    assert (dry.name, dry.cost.cached, again.cost.cached) == ("", False, True)
    assert (again.name, content(dry)) == (first.name, content(first))


def test_dry_runs_by_rest(server: Serving) -> None:
    """As a parameter of KServe's protocol, which may be a string."""
    rows = [np.random.default_rng(4).normal(size=(EVENTS, COLUMNS)).tolist()]
    before = listed(server)
    with httpx.Client(base_url=f"http://{server.bound.http}", timeout=PATIENCE) as client:

        def ask(dry_run: object) -> httpx.Response:
            parameters = {"background": "usual", "levels": "event", "dry_run": dry_run}
            return client.post("/v1/models/gru:explain", json={"instances": rows, "parameters": parameters})

        for dry_run in (True, "true"):
            (found,) = ask(dry_run).json()["explanations"]
            assert (found["name"], found["cost"]["cached"]) == ("", False)
        assert listed(server) == before
        (kept,) = ask(False).json()["explanations"]
        wrong = ask("perhaps")
    assert listed(server) == [kept["name"], *before]
    assert wrong.status_code == 400
    assert "parameters.dry_run" in wrong.text


def test_dry_runs_by_the_open_inference_protocol(server: Serving) -> None:
    """The same outputs, and nothing is stored."""
    case = BY_NAME["gru"]
    before = listed(server)
    asked: dict[str, Any] = {"outputs": ["event_attributions"], "background": "usual", "dry_run": True}
    request = infer_request("gru", [case.sample(5)], **asked)
    tried = tensors(stub(server).ModelInfer(request))
    assert listed(server) == before
    request.parameters["dry_run"].bool_param = False
    kept = tensors(stub(server).ModelInfer(request))
    assert len(listed(server)) == len(before) + 1
    np.testing.assert_array_equal(tried["event_attributions"], kept["event_attributions"])


def test_dry_runs_of_a_model_behind_an_endpoint(tmp_path: Path) -> None:
    """Its rows are asked for once more."""
    case = BY_NAME["gru"]
    with InferenceServer({"far": ServedModel(case.path.read_bytes())}) as remote:
        write_endpoint(tmp_path, "far", remote.uri("far"))
        with Serving(embedded(model_repository=tmp_path)) as server:
            options = pb.ExplainOptions(estimator=pb.ESTIMATOR_REGRESSION)
            changed = {"model": pb.ModelReference(name="far"), "options": options}
            reachable(server, "far")
            stored = explain(server, 5, **changed)
            tried = explain(server, 5, dry_run=True, **changed)
            assert (tried.name, tried.cost.cached, tried.cost.endpoint_rows > 0) == ("", False, True)
            assert listed(server) == [stored.name]
            for one, other in zip(
                tried.event_level.attributions, stored.event_level.attributions, strict=True
            ):
                np.testing.assert_allclose(one.values, other.values, rtol=0, atol=case.tolerance)


class Untouchable:
    """Stored explanations, or flights, that a dry run must not touch."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a dry run used {name}")


def test_a_dry_run_waits_for_nobody() -> None:
    """It does not even ask whether somebody works on the same answer, or whether there is one."""
    model, case = loaded(BY_NAME["gru"]), BY_NAME["gru"]
    asked = question(model, case.sample(5), case.average())
    dry = ExplainRequest(asked.model, asked.sequence, asked.background, asked.options, dry_run=True)
    alone = explainer(model, flights=Untouchable())
    alone._explanations = Untouchable()  # type: ignore[assignment]
    answer = alone.explain(dry, Deadline())
    assert (answer.name, answer.explained) == ("", True)


def test_a_dry_run_that_is_cut_short_has_no_name_either() -> None:
    """Such answers get a random name otherwise."""
    deadline, case = Deadline(), BY_NAME["gru"]
    model = Watched(loaded(case), lambda batch: deadline.hurry(deadline.now()) if batch == 6 else None)
    options = {"max_coalitions": 1 << 20, "target_standard_error": 0.0, "pruning_tolerance": 0.0}
    asked = question(model, case.sample(40), case.average(), **options)
    dry = ExplainRequest(asked.model, asked.sequence, asked.background, asked.options, dry_run=True)
    answer = explainer(model).explain(dry, deadline)
    assert (answer.name, answer.cut_short) == ("", True)


def test_the_clients_ask_for_it(server: Serving) -> None:
    """One explanation or many, also with background values, which are sent as their digest from the second one on."""
    rows = [np.random.default_rng(seed).normal(size=(EVENTS, COLUMNS)) for seed in (6, 7)]
    question: dict[str, Any] = {"model": "gru", "background": np.zeros(COLUMNS), "dry_run": True}
    before = listed(server)
    with Sequela(server.bound.grpc) as sequela:
        first = sequela.explain(rows[0], **question)
        again = sequela.explain(rows[0], **question)
        many = [each.unwrap() for each in sequela.explain_many(rows, **question)]
    assert [each.name for each in (first, again, *many)] == [""] * 4
    assert first.events == again.events == many[0].events
    assert "(dry run)" in repr(first)
    assert "a dry run, not stored" in first.to_html()

    async def ask() -> list[str]:
        async with AsyncSequela(server.bound.grpc) as sequela:
            one = await sequela.explain(rows[0], **question)
            return [one.name, *[each.unwrap().name async for each in sequela.explain_many(rows, **question)]]

    assert asyncio.run(ask()) == ["", "", ""]
    assert listed(server) == before
