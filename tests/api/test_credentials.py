"""What callers show, on both doors: tokens and certificates that are missing, wrong, expired, rotated or revoked."""

from __future__ import annotations

import itertools
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import trustme
from credential_files import Pki, bearer, code_of, replace, token_line, tokens_by_role
from matrix import ROOT
from sequela.api import http_server
from sequela.api.grpc import listener
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from serving import PATIENCE, Failure, Serving, embedded, inputs
from transports import eventually

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
        return httpx.get(url, headers=dict(bearer(token))).status_code


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    file = tmp_path / "tokens.txt"
    tokens = dict(tokens_by_role(file))
    with Serving(embedded(tokens=file, revoked=_empty(tmp_path / "revoked.txt"))) as server:
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
    door.file.write_text(token_line("scorer", old, "explain") + token_line("scorer", new, "explain"))
    assert [door.grpc(old), door.grpc(new)] == [OK, OK]
    door.file.write_text(token_line("scorer", old, "explain", days=-1) + token_line("scorer", new, "explain"))
    assert [door.grpc(old), door.grpc(new)] == [UNAUTHENTICATED, OK]
    assert [door.http(old), door.http(new)] == [401, 200]
    door.file.with_name("revoked.txt").write_text("scorer # has left\n")
    assert (door.grpc(new), door.http(new)) == (UNAUTHENTICATED, 401)


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
    assert httpx.post(url, content=b"{" * 1000).status_code == 401


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
    with Serving(embedded(tokens=tmp_path / "tokens.txt", open_uploads=True)) as server:
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


class MutualDoor:
    """A server that asks for client certificates on both doors."""

    def __init__(self, server: Serving, pki: Pki, folder: Path) -> None:
        self.server, self.pki, self.folder = server, pki, folder

    def grpc(self, name: str, authority: trustme.CA | None = None) -> grpc.StatusCode:
        with grpc.secure_channel(self.server.bound.grpc, self.pki.client(name, authority).grpc()) as channel:
            stub = rpc.ModelServiceStub(channel)
            return code_of(lambda: stub.ListModels(pb.ListModelsRequest(), timeout=PATIENCE))

    def http(self, name: str, authority: trustme.CA | None = None) -> int | None:
        """Returns the status; None if there is no connection."""
        try:
            with httpx.Client(verify=self.pki.client(name, authority).https()) as client:
                return client.get(f"https://{self.server.bound.http}/v1/models").status_code
        except httpx.TransportError:
            return None


@pytest.fixture
def mutual(tmp_path: Path) -> Iterator[MutualDoor]:
    pki = Pki(tmp_path)
    (tmp_path / "identities.txt").write_text("dns:scorer.bank.example explain\nspiffe://bank/auditor read\n")
    named = pki.settings(identities=tmp_path / "identities.txt", revoked=_empty(tmp_path / "revoked.txt"))
    with Serving(embedded(**named)) as server:
        yield MutualDoor(server, pki, tmp_path)


def test_certificates_on_both_doors(mutual: MutualDoor) -> None:
    """Known identities pass, by DNS name or URI. Others are refused, and other authorities get no connection."""
    for name in ("scorer.bank.example", "spiffe://bank/auditor"):
        assert (mutual.grpc(name), mutual.http(name)) == (OK, 200)
    assert (mutual.grpc("other.bank.example"), mutual.http("other.bank.example")) == (UNAUTHENTICATED, 401)
    stranger = trustme.CA()
    assert (mutual.grpc("scorer.bank.example", stranger), mutual.http("scorer.bank.example", stranger)) == (
        UNAVAILABLE,
        None,
    )


def test_an_expired_certificate(mutual: MutualDoor) -> None:
    """It gets no connection, on either door."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    client = mutual.pki.client("scorer.bank.example", not_after=yesterday)
    with grpc.secure_channel(mutual.server.bound.grpc, client.grpc()) as channel:
        stub = rpc.ModelServiceStub(channel)
        assert code_of(lambda: stub.ListModels(pb.ListModelsRequest(), timeout=PATIENCE)) is UNAVAILABLE
    with httpx.Client(verify=client.https()) as http, pytest.raises(httpx.TransportError):
        http.get(f"https://{mutual.server.bound.http}/v1/models")


def test_probes_need_no_certificate(mutual: MutualDoor) -> None:
    """Over HTTPS, so that a kubelet can ask. Everything else needs one."""
    plain = ssl.create_default_context(cadata=mutual.pki.root.decode())
    with httpx.Client(verify=plain, base_url=f"https://{mutual.server.bound.http}") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/models").status_code == 401
        assert client.get("/metrics").status_code == 200  # on loopback


def test_revoked_certificates(mutual: MutualDoor) -> None:
    """By a name in it, or by its fingerprint, on a connection that is already open too."""
    client = mutual.pki.client("scorer.bank.example")
    with grpc.secure_channel(mutual.server.bound.grpc, client.grpc()) as channel:
        stub = rpc.ModelServiceStub(channel)
        request = pb.ListModelsRequest()
        assert code_of(lambda: stub.ListModels(request, timeout=PATIENCE)) is OK
        shown = ":".join(client.fingerprint[at : at + 2].upper() for at in range(0, 64, 2))
        (mutual.folder / "revoked.txt").write_text(f"SHA256:{shown}\n")
        assert code_of(lambda: stub.ListModels(request, timeout=PATIENCE)) is UNAUTHENTICATED
    assert mutual.grpc("scorer.bank.example") is OK  # a newer certificate of the same client
    (mutual.folder / "revoked.txt").write_text("dns:scorer.bank.example\n")
    assert (mutual.grpc("scorer.bank.example"), mutual.http("scorer.bank.example")) == (UNAUTHENTICATED, 401)


def test_a_removed_authority(mutual: MutualDoor) -> None:
    """Its clients get no new connection on either door; those of the new authority do."""
    new = trustme.CA()
    assert (mutual.grpc("scorer.bank.example"), mutual.http("scorer.bank.example")) == (OK, 200)
    replace(mutual.pki.ca, mutual.pki.root + new.cert_pem.bytes())
    assert (mutual.grpc("scorer.bank.example", new), mutual.http("scorer.bank.example", new)) == (OK, 200)
    replace(mutual.pki.ca, new.cert_pem.bytes())
    assert (mutual.grpc("scorer.bank.example"), mutual.http("scorer.bank.example")) == (UNAVAILABLE, None)
    assert (mutual.grpc("scorer.bank.example", new), mutual.http("scorer.bank.example", new)) == (OK, 200)


def test_certificates_alone_permit_everything(tmp_path: Path) -> None:
    """Without identities and tokens, every client with a certificate may do everything, and nobody else."""
    pki = Pki(tmp_path)
    with Serving(embedded(**pki.settings())) as server:
        door = MutualDoor(server, pki, tmp_path)
        assert (door.grpc("any.example"), door.http("any.example")) == (OK, 200)


def test_reload_under_load(tmp_path: Path) -> None:
    """The certificate changes again and again while callers connect anew for every call. No call fails."""
    pki = Pki(tmp_path)
    stop, failed, done = threading.Event(), [], itertools.count()
    with Serving(embedded(**pki.settings())) as server:
        door = MutualDoor(server, pki, tmp_path)

        def ask(number: int) -> None:
            while not stop.is_set():
                found = (door.grpc(f"c{number}.example"), door.http(f"c{number}.example"))
                next(done)
                if found != (OK, 200):
                    failed.append(found)

        threads = [threading.Thread(target=ask, args=(each,)) for each in range(2)]
        for each in threads:
            each.start()
        for _ in range(10):
            pki.issue_server()
            time.sleep(0.05)
        eventually(lambda: next(done) > 20)
        stop.set()
        for each in threads:
            each.join(PATIENCE)
        reloads = server.wired.metrics.registry.get_sample_value(
            "sequela_credential_reloads_total", {"source": "tls", "outcome": "ok"}
        )
    assert failed == []
    assert reloads is not None
    assert reloads >= 2


def test_tokens_change_under_load(door: Door) -> None:
    """The file is replaced again and again while callers use a token that stays in it. No call fails."""
    stop, failed, done = threading.Event(), list[object](), itertools.count()
    line = token_line("steady", "steady-token", "read")

    def ask() -> None:
        while not stop.is_set():
            found = (door.grpc("steady-token"), door.http("steady-token"))
            next(done)
            if found != (OK, 200):
                failed.append(found)

    replace(door.file, line)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for each in threads:
        each.start()
    for number in range(20):
        replace(door.file, line + token_line("other", f"token-{number}", "admin"))
        time.sleep(0.02)
    eventually(lambda: next(done) > 20)
    stop.set()
    for each in threads:
        each.join(PATIENCE)
    assert failed == []
    assert door.grpc("token-19") is OK
    assert door.grpc("token-18") is UNAUTHENTICATED


def test_a_wrong_pair_changes_nothing(mutual: MutualDoor) -> None:
    """A key that does not belong to the certificate: new connections get the last good pair, until both fit again."""
    stray = mutual.pki.authority.issue_cert("localhost", "127.0.0.1")
    replace(mutual.pki.key, stray.private_key_pem.bytes())
    assert (mutual.grpc("scorer.bank.example"), mutual.http("scorer.bank.example")) == (OK, 200)
    registry = mutual.server.wired.metrics.registry
    labels = {"source": "tls", "outcome": "failed"}
    assert registry.get_sample_value("sequela_credential_reloads_total", labels) == 1
    mutual.pki.issue_server()
    assert (mutual.grpc("scorer.bank.example"), mutual.http("scorer.bank.example")) == (OK, 200)
    assert registry.get_sample_value("sequela_credential_reloads_total", {**labels, "outcome": "ok"}) == 1


def ends(http: httpx.Client) -> bool:
    """Returns whether a request found no connection."""
    try:
        http.get("/v1/models")
    except httpx.TransportError:
        return True
    return False


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x00\xa5"], ids=["nothing", "half a greeting"])
def test_a_client_that_does_not_finish_the_handshake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """It is let go, on both doors."""
    monkeypatch.setattr(http_server, "HANDSHAKE_SECONDS", 0.3)
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.3)
    with Serving(embedded(**Pki(tmp_path).settings())) as server:
        for address in (server.bound.grpc, server.bound.http):
            host, _, port = address.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
                client.sendall(sent)
                while client.recv(1024):
                    pass


def test_connections_end(tmp_path: Path) -> None:
    """A client whose authority is removed keeps its connection for the age of connections, and not longer."""
    pki = Pki(tmp_path)
    named = pki.settings(max_connection_age=1.0, connection_age_grace=1.0)
    with Serving(embedded(**named)) as server:
        client = pki.client("scorer.bank.example")
        with (
            grpc.secure_channel(server.bound.grpc, client.grpc()) as channel,
            httpx.Client(verify=client.https(), base_url=f"https://{server.bound.http}") as http,
        ):
            stub = rpc.ModelServiceStub(channel)

            def asked() -> grpc.StatusCode:
                return code_of(lambda: stub.ListModels(pb.ListModelsRequest(), timeout=PATIENCE))

            assert (asked(), http.get("/v1/models").status_code) == (OK, 200)
            replace(pki.ca, trustme.CA().cert_pem.bytes())
            removed = time.monotonic()
            assert asked() is OK
            eventually(lambda: asked() is UNAVAILABLE)
            eventually(lambda: ends(http))
            assert time.monotonic() - removed < 10
