"""Client certificates and TLS on both doors: wrong authorities, expired, revoked and rotated ones, slow handshakes."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from credential_files import Pki, code_of, replace
from sequela.api import http_server
from sequela.api.grpc import listener
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from serving import Serving, embedded
from sweeps import size
from waiting import PATIENCE, eventually

UNAUTHENTICATED, OK, UNAVAILABLE = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.OK,
    grpc.StatusCode.UNAVAILABLE,
)


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
            with httpx.Client(verify=self.pki.client(name, authority).https(), timeout=PATIENCE) as client:
                return client.get(f"https://{self.server.bound.http}/v1/models").status_code
        except httpx.TransportError:
            return None


@pytest.fixture
def mutual(tmp_path: Path) -> Iterator[MutualDoor]:
    pki = Pki(tmp_path)
    (tmp_path / "identities.txt").write_text("dns:scorer.bank.example explain\nspiffe://bank/auditor read\n")
    (tmp_path / "revoked.txt").write_text("")
    named = pki.settings(identities=tmp_path / "identities.txt", revoked=tmp_path / "revoked.txt")
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
    with httpx.Client(verify=client.https(), timeout=PATIENCE) as http, pytest.raises(httpx.TransportError):
        http.get(f"https://{mutual.server.bound.http}/v1/models")


def test_probes_need_no_certificate(mutual: MutualDoor) -> None:
    """Over HTTPS, so that a kubelet can ask. Everything else needs one."""
    plain = ssl.create_default_context(cadata=mutual.pki.root.decode())
    with httpx.Client(
        verify=plain, base_url=f"https://{mutual.server.bound.http}", timeout=PATIENCE
    ) as client:
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
    stop, failed, done = threading.Event(), list[object](), list[object]()
    with Serving(embedded(**pki.settings())) as server:
        door = MutualDoor(server, pki, tmp_path)

        def ask(number: int) -> None:
            while not stop.is_set():
                found = (door.grpc(f"c{number}.example"), door.http(f"c{number}.example"))
                done.append(found)
                if found != (OK, 200):
                    failed.append(found)

        def reloads() -> float:
            labels = {"source": "tls", "outcome": "ok"}
            registry = server.wired.metrics.registry
            return registry.get_sample_value("sequela_credential_reloads_total", labels) or 0.0

        threads = [threading.Thread(target=ask, args=(each,)) for each in range(2)]
        for each in threads:
            each.start()
        for number in range(size(5, 10)):
            pki.issue_server()
            eventually(lambda number=number: reloads() > number)  # type: ignore[misc]
        eventually(lambda: len(done) > 10)
        stop.set()
        for each in threads:
            each.join(PATIENCE)
    assert failed == []


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
        clients = []
        for address in (server.bound.grpc, server.bound.http):
            host, _, port = address.rpartition(":")
            clients.append(socket.create_connection((host, int(port)), timeout=PATIENCE))
            clients[-1].sendall(sent)
        for client in clients:
            with client:
                while client.recv(1024):
                    pass


def test_connections_end(tmp_path: Path) -> None:
    """A client whose authority is removed keeps its connection for the age of connections, and not longer.

    The default would be longer than `eventually` waits.
    """
    pki = Pki(tmp_path)
    age = 1.0
    named = pki.settings(max_connection_age=age, connection_age_grace=0.5)
    with Serving(embedded(**named)) as server:
        client = pki.client("scorer.bank.example")
        with (
            grpc.secure_channel(server.bound.grpc, client.grpc()) as channel,
            httpx.Client(
                verify=client.https(), base_url=f"https://{server.bound.http}", timeout=PATIENCE
            ) as http,
        ):
            stub = rpc.ModelServiceStub(channel)

            def asked() -> grpc.StatusCode:
                return code_of(lambda: stub.ListModels(pb.ListModelsRequest(), timeout=PATIENCE))

            connected = time.monotonic()
            assert (asked(), http.get("/v1/models").status_code) == (OK, 200)
            replace(pki.ca, trustme.CA().cert_pem.bytes())
            # gRPC ends a connection up to a tenth earlier.
            assert asked() is OK or time.monotonic() - connected > 0.9 * age
            eventually(lambda: asked() is UNAVAILABLE)
            eventually(lambda: ends(http))
