"""Who asked for an explanation: the caller that the server has identified, whatever a request says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from api.rpc_calls import COLUMNS, EVENTS, background, explain_request, sequence
from credential_files import bearer, token_line
from matrix import ROOT
from sequela_client import Sequela
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, in_process
from waiting import PATIENCE

NAMED = pb.ModelReference(name="gru")


@dataclass(frozen=True)
class Door:
    """A server that knows anna, who may explain, bert, who may do everything, and rita, who may read."""

    server: Serving

    def explain(self, who: str, seed: int, **changed: Any) -> pb.Explanation:
        asked = explain_request(**{"model": NAMED, "sequence": sequence(seed), **changed})
        return self.server.explanations.Explain(asked, metadata=bearer(f"token-of-{who}")).explanation

    def read(self, name: str) -> pb.Explanation:
        asked = pb.GetExplanationRequest(name=name)
        found = self.server.explanations.GetExplanation(asked, metadata=bearer("token-of-rita"))
        return found.explanation

    def listed(self, caller_id: str) -> dict[str, str]:
        """Returns who asked for each explanation with a caller id, by its name."""
        asked = pb.ListExplanationsRequest(caller_id=caller_id)
        found = self.server.explanations.ListExplanations(asked, metadata=bearer("token-of-rita"))
        return {each.name: each.requested_by for each in found.explanations}


@pytest.fixture(scope="module", params=[0, 1], ids=["here", "engines"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("requested_by")
    shutil.copytree(ROOT / "gru", folder / "models" / "gru")
    roles = {"anna": "explain", "bert": "admin", "rita": "read"}
    lines = [token_line(name, f"token-of-{name}", role) for name, role in roles.items()]
    (folder / "tokens").write_text("".join(lines))
    settings = in_process(engines=request.param, model_repository=folder / "models", tokens=folder / "tokens")
    with Serving(settings) as server:
        header = pb.CreateBackgroundHeader(name="models/gru/backgrounds/usual")
        parts = [
            pb.CreateBackgroundRequest(header=header),
            pb.CreateBackgroundRequest(values=background().values),
        ]
        server.backgrounds.CreateBackground(iter(parts), metadata=bearer("token-of-bert"))
        yield Door(server)


def test_an_explanation_names_its_caller(door: Door) -> None:
    """In the answer, when it is read, and in the list."""
    made = door.explain("anna", 1, caller_id="one")
    assert made.requested_by == "anna"
    assert door.read(made.name).requested_by == "anna"
    assert door.listed("one") == {made.name: "anna"}


def test_the_same_request_of_another_caller(door: Door) -> None:
    """It gets what is stored, with the name of who asked first. With an id of its own it has a record of its own."""
    first = door.explain("anna", 2, caller_id="two")
    same = door.explain("bert", 2, caller_id="two")
    assert (same.name, same.cost.cached, same.requested_by) == (first.name, True, "anna")
    other = door.explain("bert", 2, caller_id="three")
    assert (other.cost.cached, other.requested_by) == (True, "bert")
    assert (door.read(first.name).requested_by, door.read(other.name).requested_by) == ("anna", "bert")
    assert door.listed("two") | door.listed("three") == {first.name: "anna", other.name: "bert"}


def test_streams_uploads_and_dry_runs(door: Door) -> None:
    """Each way to ask."""
    items = [pb.ExplainStreamRequest(request=explain_request(model=NAMED, sequence=sequence(3)))]
    stream = door.server.explanations.ExplainStream(iter(items), metadata=bearer("token-of-anna"))
    assert [each.explanation.requested_by for each in stream] == ["anna"]
    sent = explain_request(sequence=sequence(4))
    made = door.server.explanations.Explain(sent, metadata=bearer("token-of-bert")).explanation
    assert made.requested_by == "bert"
    assert door.explain("anna", 5, dry_run=True).requested_by == "anna"


def test_requests_by_http(door: Door) -> None:
    """The rows of a batch are all of one caller."""
    rows = np.random.default_rng(6).normal(size=(2, EVENTS, COLUMNS)).tolist()
    body = {"instances": rows, "parameters": {"background": "usual", "levels": "event", "caller_id": "http"}}
    url = f"http://{door.server.bound.http}/v1/models/gru:explain"
    answer = httpx.post(url, json=body, headers=dict(bearer("token-of-anna")), timeout=PATIENCE)
    assert [each["requested_by"] for each in answer.json()["explanations"]] == ["anna", "anna"]
    assert list(door.listed("http").values()) == ["anna", "anna"]


def test_the_client_tells(door: Door) -> None:
    """In explanations, in lists, in JSON and on the page; and it is equal when it is read again."""
    rows = np.random.default_rng(7).normal(size=(EVENTS, COLUMNS))
    with Sequela(door.server.bound.grpc, token="token-of-bert") as sequela:
        made = sequela.explain(rows, model="gru", background="usual", caller_id="client")
        (line,) = sequela.list_explanations(caller_id="client")
        assert sequela.get_explanation(made.name) == made
    assert (made.requested_by, line.requested_by) == ("bert", "bert")
    assert json.loads(made.to_json())["requested_by"] == "bert"
    assert "Asked by" in made.to_html()


def test_nobody_is_named_without_authentication(tmp_path: Path) -> None:
    """A token that somebody sends all the same is not looked at."""
    shutil.copytree(ROOT / "gru", tmp_path / "gru")
    with Serving(in_process(model_repository=tmp_path)) as server:
        made = Door(server).explain("anna", 8)
        assert (made.requested_by, Door(server).read(made.name).requested_by) == ("", "")
