"""Who can reach the server, and by which certificates."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from serving import Serving, embedded
from waiting import PATIENCE

SERVING = health_pb2.HealthCheckResponse.SERVING


class Certificates:
    """An authority with a certificate for the server and one for a client, in files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.server = self.authority.issue_cert("localhost", "127.0.0.1")
        self.client = self.authority.issue_cert("client@example.org")
        self.certificate, self.key, self.ca = folder / "server.pem", folder / "server.key", folder / "ca.pem"
        self.certificate.write_bytes(b"".join(blob.bytes() for blob in self.server.cert_chain_pems))
        self.key.write_bytes(self.server.private_key_pem.bytes())
        self.ca.write_bytes(self.root)

    @property
    def root(self) -> bytes:
        return self.authority.cert_pem.bytes()

    def of_client(self) -> grpc.ChannelCredentials:
        chain = b"".join(blob.bytes() for blob in self.client.cert_chain_pems)
        return grpc.ssl_channel_credentials(self.root, self.client.private_key_pem.bytes(), chain)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


def check(address: str, credentials: grpc.ChannelCredentials) -> int:
    with grpc.secure_channel(address, credentials) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        status: int = health.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE).status
        return status


def test_tls_on_any_address(certificates: Certificates) -> None:
    """With TLS files a server listens on every address; who trusts the authority gets through."""
    settings = embedded(host="0.0.0.0", tls_certificate=certificates.certificate, tls_key=certificates.key)
    with Serving(settings) as server:
        port = server.bound.grpc.rpartition(":")[2]
        credentials = grpc.ssl_channel_credentials(certificates.root)
        assert check(f"localhost:{port}", credentials) == SERVING


def test_clients_must_show_their_certificate(certificates: Certificates) -> None:
    """With an authority for clients, one without a certificate is turned away, one with it gets through."""
    settings = embedded(
        tls_certificate=certificates.certificate, tls_key=certificates.key, tls_client_ca=certificates.ca
    )
    with Serving(settings) as server:
        assert check(server.bound.grpc, certificates.of_client()) == SERVING
        with pytest.raises(grpc.RpcError) as caught:
            check(server.bound.grpc, grpc.ssl_channel_credentials(certificates.root))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_tls_files_that_are_none(certificates: Certificates, tmp_path: Path) -> None:
    """A file of something else, or another certificate's key: the flags and files are named, not only the port."""
    none, key = tmp_path / "none.pem", tmp_path / "other.key"
    none.write_text("no certificate")
    key.write_bytes(certificates.authority.issue_cert("localhost").private_key_pem.bytes())
    mine = {"tls_certificate": certificates.certificate, "tls_key": certificates.key}
    for wrong, said in (
        (
            {"tls_certificate": none},
            r"--tls-certificate and --tls-key: .*none.pem .* without a password \(\[SSL\]",
        ),
        ({"tls_key": key}, "KEY_VALUES_MISMATCH"),
        ({"tls_client_ca": none}, "--tls-client-ca: .*none.pem must be a certificate in PEM"),
        ({"tls_key": tmp_path / "nowhere"}, "No such file or directory"),
    ):
        with pytest.raises(OSError, match=said), Serving(embedded(**{**mine, **wrong})):
            pass


def test_insecure_is_a_word_to_say() -> None:
    """--insecure admits other than loopback addresses in plain text."""
    with Serving(embedded(host="0.0.0.0", insecure=True)) as server:
        port = server.bound.grpc.rpartition(":")[2]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(health_pb2.HealthCheckRequest()).status == SERVING


@pytest.mark.parametrize(("door", "option"), [("grpc", "port"), ("http", "http_port")])
def test_a_port_that_is_taken_is_an_error(server: Serving, door: str, option: str) -> None:
    """Two servers never share a port in silence. The message names the option of the port."""
    port = int(getattr(server.bound, door).rpartition(":")[2])
    said = rf"cannot listen on 127.0.0.1:{port}: port {port} \(--{option.replace('_', '-')}\) is in use"
    with pytest.raises(OSError, match=said), Serving(embedded(**{option: port})):
        pass


@pytest.mark.parametrize("option", ["host", "http_host"])
def test_a_host_that_cannot_be_resolved(option: str) -> None:
    """The message says so, and names the option. Here the zone of the address does not exist."""
    said = rf"the host fe80::1%none \(--{option.replace('_', '-')}\) cannot be resolved"
    with (
        pytest.raises(OSError, match=said),
        Serving(embedded(**{option: "fe80::1%none", "insecure": True})),
    ):
        pass


def test_ipv6() -> None:
    """IPv6 addresses are written in brackets, and work."""
    with Serving(embedded(host="::1", http_host="::1")) as server:
        assert server.bound.grpc.startswith("[::1]:")
        assert server.bound.http.startswith("[::1]:")
        with grpc.insecure_channel(server.bound.grpc) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(health_pb2.HealthCheckRequest()).status == SERVING
