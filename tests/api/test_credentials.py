"""What callers show, on both doors: tokens that are missing, wrong, expired, rotated or revoked; and when it counts."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from credential_files import bearer, code_of, replace, token_line, tokens_by_role
from matrix import ROOT
from sequela.api.access_control import AccessControl
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from serving import Failure, Serving, in_process, inputs
from sweeps import size
from waiting import PATIENCE, eventually

UNAUTHENTICATED, PERMISSION_DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
OK, UNAVAILABLE = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE
ONNX = (ROOT / "gru" / "1" / "model.onnx").read_bytes()
WIDTH = 5


class Door:
    """A server with a file of tokens, which a test may change."""

    def __init__(self, server: Serving, file: Path, tokens: dict[str, str]) -> None:
        self.server, self.file, self.tokens = server, file, tokens

    def grpc(self, token: str) -> grpc.StatusCode:
        request = pb.ListModelsRequest()
        return code_of(
            lambda: self.server.models.ListModels(request, metadata=bearer(token), timeout=PATIENCE)
        )

    def http(self, token: str) -> int:
        url = f"http://{self.server.bound.http}/v1/models"
        return httpx.get(url, headers=dict(bearer(token)), timeout=PATIENCE).status_code


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    file = tmp_path / "tokens.txt"
    tokens = dict(tokens_by_role(file))
    with Serving(in_process(tokens=file, revoked=_empty(tmp_path / "revoked.txt"))) as server:
        yield Door(server, file, tokens)


def _empty(path: Path) -> Path:
    path.write_text("")
    return path


def explain_request(**changed: Any) -> pb.ExplainRequest:
    values = np.random.default_rng(0).normal(size=(6, WIDTH))
    background = pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(WIDTH))))
    named = {
        "model": pb.ModelReference(inline=pb.InlineModel(onnx=ONNX)),
        "background": background,
        **changed,
    }
    return pb.ExplainRequest(sequence=pb.Sequence(inputs=inputs(values)), **named)


def test_tokens_on_both_doors(door: Door) -> None:
    """A known token passes. None, an unknown one and other schemes do not, whatever else is sent."""
    assert (door.grpc(door.tokens["read"]), door.http(door.tokens["read"])) == (OK, 200)
    for wrong in ("", "unknown", door.tokens["read"][:-1], f"{door.tokens['read']} ", "ä"):
        if wrong.isascii() and wrong == wrong.strip():
            assert door.grpc(wrong) is UNAUTHENTICATED
        if wrong.strip() != door.tokens["read"] and wrong.isascii():
            assert door.http(wrong) == 401
    basic = (("authorization", f"Basic {door.tokens['read']}"),)
    assert (
        code_of(lambda: door.server.models.ListModels(pb.ListModelsRequest(), metadata=basic))
        is UNAUTHENTICATED
    )


def test_expired_rotated_and_revoked_tokens(door: Door) -> None:
    """Two tokens of a client are valid at a time. Each change counts from the next request on, without a restart."""
    old, new = "the-old-token", "the-new-token"
    # Replaced each time: two contents of the same length that are written within a tick of the file system's clock
    # would look like one.
    replace(door.file, token_line("scorer", old, "explain") + token_line("scorer", new, "explain"))
    assert [door.grpc(old), door.grpc(new)] == [OK, OK]
    replace(door.file, token_line("scorer", old, "explain", days=-1) + token_line("scorer", new, "explain"))
    assert [door.grpc(old), door.grpc(new)] == [UNAUTHENTICATED, OK]
    assert [door.http(old), door.http(new)] == [401, 200]
    door.file.with_name("revoked.txt").write_text("scorer # has left\n")
    assert (door.grpc(new), door.http(new)) == (UNAUTHENTICATED, 401)


def test_a_call_with_one_message_is_checked_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it may be served or not: the check looks at files, and each look costs time."""
    tokens, admit = [door.tokens["read"], "unknown"], AccessControl.admit
    checks: list[str] = []

    def noted(control: AccessControl, method: str, *given: Any) -> None:
        checks.append(method)
        admit(control, method, *given)

    monkeypatch.setattr(AccessControl, "admit", noted)
    assert [door.grpc(token) for token in tokens] == [OK, UNAUTHENTICATED]
    assert checks == 2 * ["sequela.v1.ModelService/ListModels"]


def test_a_wrong_file_changes_nothing_and_is_counted(door: Door) -> None:
    """The last good tokens stay valid, also if the file is gone."""
    replace(door.file, "scorer the-token-itself explain never\n")
    assert door.grpc(door.tokens["read"]) is OK
    door.file.unlink()
    assert door.grpc(door.tokens["read"]) is OK
    failed = door.server.wired.metrics.registry.get_sample_value(
        "sequela_credential_reloads_total", {"source": "tokens", "outcome": "failed"}
    )
    assert failed == 2


def test_identity_before_the_message_is_parsed(door: Door) -> None:
    """Bytes that are no message, or none at all, are refused for the missing token and not for themselves."""
    for sent in ([b"\xff" * 1000], []):
        ask = door.server.channel.stream_stream("/sequela.v1.ExplanationService/Explain")
        assert code_of(lambda ask=ask, sent=sent: next(ask(iter(sent), timeout=PATIENCE))) is UNAUTHENTICATED
        named = {"metadata": bearer(door.tokens["read"]), "timeout": PATIENCE}
        assert (
            code_of(lambda ask=ask, sent=sent, named=named: next(ask(iter(sent), **named)))
            is PERMISSION_DENIED
        )
    url = f"http://{door.server.bound.http}/v2/models/m/infer"
    found = httpx.post(url, content=b"{" * 1000, timeout=PATIENCE)
    # The rest of the body is not read either.
    assert (found.status_code, found.headers["connection"]) == (401, "close")


def test_a_refused_caller_need_not_send_its_message(door: Door) -> None:
    """The call ends before anything of the request has arrived."""
    never: queue.Queue[bytes] = queue.Queue()
    ask = door.server.channel.stream_unary("/sequela.v1.ExplanationService/Explain")
    assert code_of(lambda: ask(iter(never.get, None), timeout=PATIENCE)) is UNAUTHENTICATED
    never.put(b"")


def test_permission_before_existence(door: Door) -> None:
    """Whoever may not read explanations does not learn which ones there are."""
    admin = {"metadata": bearer(door.tokens["admin"])}
    kept = door.server.explanations.Explain(explain_request(), **admin).explanation.name
    assert door.server.explanations.GetExplanation(pb.GetExplanationRequest(name=kept), **admin)
    refusals = []
    for name in (kept, "explanations/none", "not a name"):
        with pytest.raises(grpc.RpcError) as caught:
            door.server.explanations.GetExplanation(
                pb.GetExplanationRequest(name=name), metadata=bearer(door.tokens["explain"])
            )
        refusals.append((Failure(caught.value).reason, Failure(caught.value).message))
    assert set(refusals) == {("METHOD_NOT_PERMITTED", refusals[0][1])}


@pytest.mark.parametrize(
    "model",
    [
        pb.ModelReference(inline=pb.InlineModel(onnx=b"no model")),
        pb.ModelReference(endpoint=pb.EndpointModel(uri="grpc://models.example:8001/m")),
    ],
    ids=["inline", "endpoint"],
)
def test_models_of_callers_are_for_admin(door: Door, model: pb.ModelReference) -> None:
    """In a call, in the items of a stream, which have a status each, and for scores."""
    request, explain = explain_request(model=model), {"metadata": bearer(door.tokens["explain"])}
    for call in (
        lambda: door.server.explanations.Explain(request, **explain),
        lambda: door.server.explanations.Score(pb.ScoreRequest(model=model), **explain),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert (caught.value.code(), Failure(caught.value).reason) == (
            PERMISSION_DENIED,
            "MODEL_NOT_PERMITTED",
        )
    items = iter([pb.ExplainStreamRequest(request=request)] * 2)
    found = list(door.server.explanations.ExplainStream(items, **explain))
    assert [each.error.reason for each in found] == ["MODEL_NOT_PERMITTED"] * 2
    with pytest.raises(grpc.RpcError) as caught:
        door.server.explanations.Explain(request, metadata=bearer(door.tokens["admin"]))
    assert caught.value.code() is not PERMISSION_DENIED


def test_open_uploads(tmp_path: Path) -> None:
    """The operator may let the role `explain` do so. Deleting is still for admin."""
    tokens = tokens_by_role(tmp_path / "tokens.txt")
    with Serving(in_process(tokens=tmp_path / "tokens.txt", open_uploads=True)) as server:
        explain = {"metadata": bearer(tokens["explain"])}
        assert server.explanations.Explain(explain_request(), **explain).explanation.name
        header = pb.RegisterModelRequest(header=pb.RegisterModelHeader(name="gru"))
        chunks = iter([header, pb.RegisterModelRequest(onnx_chunk=ONNX)])
        assert server.models.RegisterModel(chunks, **explain).model.name
        request = pb.DeleteModelRequest(name="models/gru/versions/1")
        assert code_of(lambda: server.models.DeleteModel(request, **explain)) is PERMISSION_DENIED


def test_a_stream_ends_when_its_caller_is_revoked(door: Door) -> None:
    """The next message ends it, although it began with a valid token. Answers before that have arrived."""
    items: queue.Queue[pb.ExplainStreamRequest | None] = queue.Queue()
    item = pb.ExplainStreamRequest(request=explain_request())
    items.put(item)
    stub = rpc.ExplanationServiceStub(door.server.channel)
    answers = stub.ExplainStream(
        iter(items.get, None), metadata=bearer(door.tokens["admin"]), timeout=PATIENCE
    )
    assert next(answers).explanation.name
    door.file.with_name("revoked.txt").write_text("client-admin\n")
    items.put(item)
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert (caught.value.code(), Failure(caught.value).reason) == (UNAUTHENTICATED, "CALLER_REVOKED")
    items.put(None)


def test_tokens_change_under_load(door: Door) -> None:
    """The file is replaced again and again while callers use a token that stays in it. No call fails."""
    stop, failed, done = threading.Event(), list[object](), list[object]()
    line = token_line("steady", "steady-token", "read")

    def ask() -> None:
        while not stop.is_set():
            found = (door.grpc("steady-token"), door.http("steady-token"))
            done.append(found)
            if found != (OK, 200):
                failed.append(found)

    replace(door.file, line)
    # A file that changes while it is read is read again by the next call, so the token must be known before.
    assert (door.grpc("steady-token"), door.http("steady-token")) == (OK, 200)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for each in threads:
        each.start()
    changes = size(10, 20)  # each is another chance that a call meets one
    for number in range(changes):
        replace(door.file, line + token_line("other", f"token-{number}", "admin"))
        asked = len(done)
        eventually(lambda asked=asked: len(done) > asked + 1)  # type: ignore[misc]
    stop.set()
    for each in threads:
        each.join(PATIENCE)
    assert failed == []
    assert door.grpc(f"token-{changes - 1}") is OK
    assert door.grpc(f"token-{changes - 2}") is UNAUTHENTICATED
