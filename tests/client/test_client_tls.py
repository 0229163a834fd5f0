"""TLS from the client's side: who gets through, and what the others are told to do. Against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import trustme
from client.command_runs import Run
from client.pem_files import PemPair
from sequela_client import (
    AsyncSequela,
    CallerError,
    CertificateExpired,
    CertificateNotTrusted,
    ClientCertificateRefused,
    ClientCertificateRequired,
    DeadlineExceeded,
    HostNameMismatch,
    OperatorError,
    Retries,
    Sequela,
    SequelaError,
    TlsNotOffered,
    TlsRequired,
    TryAgain,
)
from sequela_client.connection_errors import Peer, unreachable
from sequela_client.server_address import ServerAddress
from serving import Serving, embedded

OTHER = trustme.CA()
AUTHORITY = trustme.CA()
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
ONCE = Retries(attempts=1)
"""What fails here fails every time."""


class Pair(PemPair):
    """A certificate and its key, by default from the authority that the tests trust."""

    @classmethod
    def write(
        cls, folder: Path, name: str, *identities: str, by: trustme.CA = AUTHORITY, **terms: Any
    ) -> Self:
        return super().write(folder, name, *identities, by=by, **terms)

    def serving(self, **more: Any) -> Serving:
        return Serving(embedded(tls_certificate=self.certificate, tls_key=self.key, **more))


@dataclass(frozen=True)
class Files:
    """The authority that servers and clients are certified by, and another."""

    folder: Path

    def __post_init__(self) -> None:
        AUTHORITY.cert_pem.write_to_path(str(self.ca))
        OTHER.cert_pem.write_to_path(str(self.other))

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def other(self) -> Path:
        return self.folder / "other.pem"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls(files: Files) -> Iterator[Serving]:
    """A server with a certificate for this machine, that wants none of its clients."""
    with Pair.write(files.folder, "server", "localhost", "127.0.0.1").serving() as running:
        yield running


@pytest.fixture(scope="module")
def mutual(files: Files) -> Iterator[Serving]:
    """A server that wants certificates of its clients."""
    pair = Pair.write(files.folder, "mutual", "localhost", "127.0.0.1")
    with pair.serving(tls_client_ca=files.ca) as running:
        yield running


def models(address: str, **how: Any) -> list[Any]:
    """Asks one question, once."""
    with Sequela(address, retries=ONCE, timeout=20, **how) as sequela:
        return list(sequela.models())


def refused(address: str, **how: Any) -> SequelaError:
    """The error for one question."""
    with pytest.raises(SequelaError) as error:
        models(address, **how)
    return error.value


def test_gets_through_by_an_authority_and_a_certificate(files: Files, tls: Serving, mutual: Serving) -> None:
    """With the authority's file alone where that is enough, with a certificate too where the server wants one."""
    mine = Pair.write(files.folder, "client", "client@example.org")
    assert models(tls.bound.grpc, ca=files.ca) == []
    assert models(mutual.bound.grpc, ca=files.ca, certificate=mine.certificate, key=mine.key) == []


def test_secure_trusts_the_systems_authorities(
    files: Files, tls: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the machine, by OpenSSL's variable; not only the public ones that gRPC ships."""
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    assert models(tls.bound.grpc, secure=True) == []


def test_a_certificate_that_is_not_trusted(files: Files, tls: Serving) -> None:
    """Not to be tried again: the authority is to be named."""
    for error in (refused(tls.bound.grpc, ca=files.other), refused(tls.bound.grpc, secure=True)):
        assert type(error) is CertificateNotTrusted
        assert isinstance(error, CallerError)
        assert error.reason == "CERTIFICATE_NOT_TRUSTED"
        assert (
            f"the certificate of {tls.bound.grpc} is from an authority that is not trusted" in error.message
        )
        assert "--ca FILE" in error.message


def test_the_same_by_asyncio(files: Files, tls: Serving) -> None:
    """Both clients tell alike, also of a server that was asked in plain text."""

    async def ask(**how: Any) -> str:
        async with AsyncSequela(tls.bound.grpc, retries=ONCE, **how) as sequela:
            with pytest.raises(CallerError) as error:
                await sequela.get_model("m")
            return error.value.reason

    assert asyncio.run(ask(ca=files.other)) == "CERTIFICATE_NOT_TRUSTED"
    assert asyncio.run(ask()) == "SERVER_WANTS_TLS"


def test_a_certificate_for_another_host(files: Files) -> None:
    """The name that was asked for is in the message."""
    with Pair.write(files.folder, "elsewhere", "elsewhere.example").serving() as server:
        error = refused(server.bound.grpc, ca=files.ca)
    assert (type(error), error.reason) == (HostNameMismatch, "CERTIFICATE_OF_OTHER_HOST")
    assert "is not for '127.0.0.1'" in error.message


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            "UNKNOWN: ipv4:10.0.0.1:7: Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL "
            "routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
            "CERTIFICATE_NOT_TRUSTED",
        ),
        (
            "UNKNOWN: ipv4:10.0.0.1:7: Peer name 10.0.0.1 is not in peer certificate",
            "CERTIFICATE_OF_OTHER_HOST",
        ),
        ("UNKNOWN: ipv4:10.0.0.1:7: Ssl handshake failed: NO_SHARED_CIPHER", "TLS_HANDSHAKE_FAILED"),
    ],
)
def test_the_words_of_older_versions(words: str, reason: str) -> None:
    """As grpcio 1.76 puts it, the oldest that the client runs with."""
    peer = Peer(ServerAddress.parse("10.0.0.1:7"), secure=True)
    error = unreachable(f"failed to connect to all addresses; last error: {words}", peer)
    assert error is not None
    assert error.reason == reason


def test_a_certificate_that_has_expired(files: Files) -> None:
    """That is for the server's operator."""
    terms = {"not_before": LONG_AGO - datetime.timedelta(days=9), "not_after": LONG_AGO}
    with Pair.write(files.folder, "old", "127.0.0.1", **terms).serving() as server:
        error = refused(server.bound.grpc, ca=files.ca)
    assert type(error) is CertificateExpired
    assert isinstance(error, OperatorError)
    assert error.reason == "CERTIFICATE_EXPIRED"


def test_plain_text_where_tls_is_spoken(tls: Serving, mutual: Serving) -> None:
    """With the options that speak it; whether or not the server wants a certificate too."""
    for server in (tls, mutual):
        error = refused(server.bound.grpc)
        assert (type(error), error.reason) == (TlsRequired, "SERVER_WANTS_TLS")
        assert "--secure" in error.message
        assert "--ca FILE" in error.message


def test_tls_where_plain_text_is_spoken(files: Files, server: Serving) -> None:
    """The gRPC port without TLS, and the HTTP port."""
    for address in (server.bound.grpc, server.bound.http):
        error = refused(address, ca=files.ca)
        assert (type(error), error.reason) == (TlsNotOffered, "SERVER_WITHOUT_TLS")


def test_a_certificate_of_the_client(files: Files, mutual: Serving) -> None:
    """Without one, the message says how to present one."""
    error = refused(mutual.bound.grpc, ca=files.ca)
    assert (type(error), error.reason) == (ClientCertificateRequired, "CLIENT_CERTIFICATE_NEEDED")
    assert "--cert FILE" in error.message


def test_a_certificate_that_the_server_refuses(files: Files, mutual: Serving) -> None:
    """One of another authority, and one that has expired: the message names the file, and what to check."""
    strange = Pair.write(files.folder, "strange", "client@example.org", by=OTHER)
    terms = {"not_before": LONG_AGO - datetime.timedelta(days=9), "not_after": LONG_AGO}
    expired = Pair.write(files.folder, "expired", "client@example.org", **terms)
    for pair in (strange, expired):
        error = refused(mutual.bound.grpc, ca=files.ca, certificate=pair.certificate, key=pair.key)
        assert (type(error), error.reason) == (ClientCertificateRefused, "CLIENT_CERTIFICATE_REFUSED")
        assert f"refuses the client certificate {pair.certificate}" in error.message
        assert "--tls-client-ca" in error.message


def test_the_port_of_metrics(server: Serving) -> None:
    """HTTP where gRPC was expected."""
    error = refused(server.bound.http)
    assert (type(error), error.reason) == (CallerError, "NOT_GRPC")
    assert "not its --http-port" in error.message


def test_a_server_that_hangs_up_in_plain_text() -> None:
    """It may be starting: to be tried again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        error = refused(f"127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(error, TryAgain)
    assert "no server answers" in error.message


def test_a_server_that_says_nothing() -> None:
    """Where a firewall swallows what is sent, the address is named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with (
            Sequela(address, timeout=0.2) as sequela,
            pytest.raises(DeadlineExceeded, match=f"no answer from {address} in time"),
        ):
            sequela.get_model("m")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"ca": "nowhere.pem"}, "nowhere.pem: No such file"),
        ({"ca": "client.key"}, "has no PEM block 'CERTIFICATE'"),
        ({"certificate": "client.pem"}, "certificate and key must be given together"),
        ({"certificate": "client.pem", "key": "client.pem"}, "has no PEM block 'PRIVATE KEY'"),
    ],
)
def test_files_that_are_none(
    files: Files, how: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said when the client is made, before anything is sent."""
    Pair.write(files.folder, "client", "client@example.org")
    monkeypatch.chdir(files.folder)
    with pytest.raises(CallerError, match=said):
        Sequela("localhost", **how)


def test_the_command(run: Run, files: Files, mutual: Serving, alert: Path) -> None:
    """`--ca`, `--cert` and `--key` get through to a model that is not there; without them it says what is missing."""
    mine = Pair.write(files.folder, "client", "client@example.org")
    ask = ("explain", "--server", mutual.bound.grpc, "--model", "m", "--sequence", alert)
    done = run(*ask, "--ca", files.ca, "--cert", mine.certificate, "--key", mine.key)
    assert (done.exit_code, "no model is named 'm'" in done.stderr) == (1, True), done.stderr
    done = run(*ask, "--ca", files.other)
    assert done.exit_code == 1
    assert "not trusted" in done.stderr
    assert "try again" not in done.stderr


def test_the_command_tells_grpc_to_be_quiet() -> None:
    """Before anything imports it, and only if the variable is not set."""
    code = "import os, sys, sequela_command; print(os.environ['GRPC_VERBOSITY'], 'grpc' in sys.modules)"
    others = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    for chosen, found in (({}, "NONE"), ({"GRPC_VERBOSITY": "INFO"}, "INFO")):
        said = subprocess.check_output([sys.executable, "-c", code], env={**others, **chosen}, text=True)
        assert said.strip() == f"{found} False"


@pytest.mark.slow
def test_the_command_writes_one_line_for_an_error(files: Files, tls: Serving) -> None:
    """gRPC's own log line about the handshake would come first. Whoever wants it sets the variable."""
    code = "from sequela_command import main; main()"
    command = [sys.executable, "-c", code, "models", "--server", tls.bound.grpc, "--ca", str(files.other)]
    quiet = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    told = subprocess.run(
        command,
        env={**quiet, "GRPC_VERBOSITY": "INFO"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "handshake" in told.stderr.lower()


def test_the_command_alone_needs_no_tls(run: Run, alert: Path, files: Files) -> None:
    """A server that is started for the question is one's own."""
    done = run("explain", "--model", "m.onnx", "--sequence", alert, "--ca", files.ca)
    assert (done.exit_code, "go with --server" in done.stderr) == (2, True)
