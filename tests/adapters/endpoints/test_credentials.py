"""TLS, mTLS and tokens from files: what is shown, to whom, and what is said where a file is not what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from inference_server import Certificates, InferenceServer, ServedModel
from sequela.adapters.endpoints.addresses import open_guard
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.failures import RetryableError
from sequela.errors import DoesNotFit
from transports import ROWS, SCORER, failing, opened, soon
from waiting import eventually


def serving(certificates: Certificates | None = None, clients: bool = False) -> InferenceServer:
    return InferenceServer({"m": ServedModel(SCORER)}, certificates, clients)


@pytest.mark.parametrize("guard", [None, open_guard])
def test_tls(certificates: Certificates, guard: None) -> None:
    """By the name and by the address in the certificate, with and without a guard, who trusts its authority gets
    through.
    """
    with serving(certificates) as server:
        for host in ("localhost", "127.0.0.1"):
            uri = f"grpcs://{host}:{server.port}/m"
            with opened(uri, credentials=Credentials(certificates.ca), guard=guard) as transport:
                assert transport.infer({"events": ROWS}, "", soon()).shape == (2,)


def test_a_guarded_name_is_what_the_certificate_is_held_against(tmp_path: Path) -> None:
    """The connection goes to an address, and the certificate must still be the name's."""
    other = Certificates(tmp_path, "other.example")
    with (
        serving(other) as server,
        opened(
            f"grpcs://localhost:{server.port}/m", credentials=Credentials(other.ca), guard=open_guard
        ) as transport,
        failing(RetryableError, "ENDPOINT_UNAVAILABLE"),
    ):
        transport.infer({"events": ROWS}, "", soon())


def test_an_authority_that_is_not_trusted(certificates: Certificates) -> None:
    """Without its authority a server is not believed."""
    with (
        serving(certificates) as server,
        opened(server.uri("m")) as transport,
        failing(RetryableError, "ENDPOINT_UNAVAILABLE"),
    ):
        transport.infer({"events": ROWS}, "", soon())


def test_mutual_tls(certificates: Certificates) -> None:
    """A server that wants to see a certificate is shown one; without it nothing comes through."""
    with serving(certificates, clients=True) as server:
        with opened(
            server.uri("m"), credentials=Credentials(certificates.ca, *certificates.client)
        ) as transport:
            assert transport.ready(soon())
        with opened(server.uri("m"), credentials=Credentials(certificates.ca)) as transport:
            assert not transport.ready(soon())


def test_certificates_that_are_replaced(certificates: Certificates, tmp_path: Path) -> None:
    """After a connection fails, the files are read again, so that a renewed authority is found."""
    ca = tmp_path / "bundle.pem"
    ca.write_bytes(Certificates(tmp_path).ca.read_bytes())
    with serving(certificates) as server, opened(server.uri("m"), credentials=Credentials(ca)) as transport:
        assert not transport.ready(soon())
        ca.write_bytes(certificates.ca.read_bytes())
        eventually(lambda: transport.ready(soon()))


def sent(server: InferenceServer) -> str | None:
    return server.calls[-1].metadata.get("authorization")


def test_a_token_is_read_for_every_call(certificates: Certificates, tmp_path: Path) -> None:
    """What the file holds now is what is sent, without the line's end."""
    token = tmp_path / "token"
    token.write_text("first\n")
    credentials = Credentials(certificates.ca, token=token)
    with serving(certificates) as server, opened(server.uri("m"), credentials=credentials) as transport:
        transport.infer({"events": ROWS}, "", soon())
        assert sent(server) == "Bearer first"
        token.write_text("second")
        transport.describe(soon())
        assert sent(server) == "Bearer second"
        token.unlink()
        with failing(DoesNotFit, "ENDPOINT_REFUSED", token.name, "No such file"):
            transport.infer({"events": ROWS}, "", soon())
        assert not transport.ready(soon())


def test_no_token_without_tls(tmp_path: Path) -> None:
    """A token is not sent in the clear, unless the operator says so."""
    token = tmp_path / "token"
    token.write_text("s3cret")
    with serving() as server:
        with (
            failing(DoesNotFit, "ENDPOINT_REFUSED", token.name, "not sent without TLS"),
            opened(server.uri("m"), credentials=Credentials(token=token)),
        ):
            pass
        with opened(server.uri("m"), credentials=Credentials(token=token, plaintext_token=True)) as transport:
            assert transport.ready(soon())
        assert sent(server) == "Bearer s3cret"


@pytest.mark.parametrize(
    "content", ["", "\n", "two words", "two\nlines", "t\x00", "tökén", "t" * (16 << 10) + "t"]
)
def test_a_file_without_a_token(tmp_path: Path, content: str) -> None:
    """Is named, and what it holds is not repeated."""
    token = tmp_path / "token"
    token.write_text(content)
    with (
        failing(DoesNotFit, "ENDPOINT_REFUSED", token.name, "does not hold a token"),
        opened("grpcs://h:1/m", credentials=Credentials(token=token)),
    ):
        pass


def test_files_that_are_not_what_they_should_be(certificates: Certificates, tmp_path: Path) -> None:
    """Each is named when the endpoint is opened, before anything is sent."""
    missing, garbage = tmp_path / "missing.pem", tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    certificate, key = certificates.client
    wrong = [
        (Credentials(missing), missing, "No such file"),
        (Credentials(garbage), garbage, "not a PEM file with certificates"),
        (Credentials(certificate=certificate, key=garbage), garbage, "unencrypted key"),
        (Credentials(certificate=certificate, key=missing), missing, "No such file"),
        (
            Credentials(certificate=certificate, key=certificates.server[1]),
            certificates.server[1],
            "unencrypted key",
        ),
        (Credentials(token=missing), missing, "No such file"),
    ]
    for alone, what in ((Credentials(certificate=certificate), "certificate"), (Credentials(key=key), "key")):
        with (
            failing(DoesNotFit, "ENDPOINT_REFUSED", what, "must be set together"),
            opened("grpcs://h:1/m", credentials=alone),
        ):
            pass
    for credentials, file, words in wrong:
        with (
            failing(DoesNotFit, "ENDPOINT_REFUSED", file.name, words),
            opened("grpcs://h:1/m", credentials=credentials),
        ):
            pass


def test_certificates_without_tls(certificates: Certificates) -> None:
    """Whoever sets them up believes that TLS is spoken, so a plaintext endpoint with them is refused."""
    for credentials in (Credentials(certificates.ca), Credentials(None, *certificates.client)):
        with (
            failing(DoesNotFit, "ENDPOINT_REFUSED", "without TLS"),
            opened("grpc://h:1/m", credentials=credentials),
        ):
            pass


def test_secrets_are_not_shown(certificates: Certificates, tmp_path: Path) -> None:
    """Neither a token nor a key appears in what is printed of them."""
    token = tmp_path / "token"
    token.write_text("s3cret")
    credentials = Credentials(certificates.ca, *certificates.client, token)
    shown = repr(credentials) + repr(credentials.tls())
    assert "s3cret" not in shown
    assert "PRIVATE KEY" not in shown
    assert b"PRIVATE KEY" in (credentials.tls().key or b"")
