"""Credentials: tokens and certificates reach the server, are read again when they change, and stay secret."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import trustme
from client.command_runs import Run
from client.guarded import Guard, guarded
from client.pem_files import PemPair
from client.scripted import Script
from sequela_client import (
    AsyncSequela,
    AuthenticationError,
    CallerError,
    CertificateNotTrusted,
    ClientCertificateRefused,
    Credentials,
    CredentialsMissing,
    CredentialsRevoked,
    IdentityUnknown,
    OperatorError,
    PermissionDenied,
    Sequela,
    SequelaError,
    TokenExpired,
    TokenRefused,
)
from sequela_client.cohort.run import RunOptions
from waiting import PATIENCE

SECRET = "canary-7f1d9e3b5a"
SEQUENCE = np.ones((3, 2))


@pytest.fixture
def guard() -> Guard:
    return Guard({SECRET: None, "old": "expired", "gone": "revoked", "nobody": "of nobody"})


@pytest.fixture
def guarded_address(script: Script, guard: Guard) -> Iterator[str]:
    with guarded(script, guard) as where:
        yield where


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    return path


def listed(address: str, **how: Any) -> list[Any]:
    """Lists explanations."""
    with Sequela(address, options=[("grpc.enable_retries", 0)], timeout=20, **how) as sequela:
        return list(sequela.list_explanations())


@pytest.mark.parametrize("how", ["argument", "file", "credentials"])
def test_the_token_is_sent_with_every_call(
    guarded_address: str, guard: Guard, token_file: Path, how: str
) -> None:
    """By all ways to name it, and over a stream, too."""
    given: dict[str, Any] = {
        "argument": {"token": SECRET},
        "file": {"token_file": token_file},
        "credentials": {"credentials": Credentials(token_file=token_file)},
    }[how]
    with Sequela(guarded_address, **given) as sequela:
        sequela.explain(SEQUENCE, model="m")
        assert len(list(sequela.list_explanations(page_size=2))) == 5
        assert [each.unwrap().score for each in sequela.explain_many([SEQUENCE], model="m")] == [0.9]
    assert set(guard.seen) == {f"Bearer {SECRET}"}
    assert len(guard.seen) >= 5


def test_the_same_by_asyncio(guarded_address: str, guard: Guard, token_file: Path) -> None:
    """Calls and streams."""

    async def ask() -> None:
        async with AsyncSequela(guarded_address, token_file=token_file) as sequela:
            await sequela.explain(SEQUENCE, model="m")
            assert [each.index async for each in sequela.explain_many([SEQUENCE], model="m")] == [0]

    asyncio.run(ask())
    assert set(guard.seen) == {f"Bearer {SECRET}"}
    assert len(guard.seen) >= 2


@pytest.mark.parametrize(
    ("token", "kind", "reason", "way_out"),
    [
        (None, CredentialsMissing, "CREDENTIALS_MISSING", "--token-file FILE"),
        ("unknown", TokenRefused, "TOKEN_UNKNOWN", "check that --token-file"),
        ("old", TokenExpired, "TOKEN_EXPIRED", "write a new one to the file"),
        ("nobody", IdentityUnknown, "IDENTITY_UNKNOWN", "of nobody"),
        ("gone", CredentialsRevoked, "CALLER_REVOKED", "revoked"),
    ],
)
def test_each_refusal_has_its_class(
    guarded_address: str, token: str | None, kind: type[SequelaError], reason: str, way_out: str
) -> None:
    """The message says which it was, and what to do."""
    with pytest.raises(AuthenticationError) as error:
        listed(guarded_address, token=token)
    assert (type(error.value), error.value.reason) == (kind, reason)
    assert way_out in error.value.message
    assert isinstance(error.value, CallerError)


def test_a_role_that_is_missing(guarded_address: str, guard: Guard) -> None:
    """The operator has to act, and the error says which role it is about."""
    guard.roles = frozenset({"explain"})
    with pytest.raises(PermissionDenied, match="needs the role read") as error:
        listed(guarded_address, token=SECRET)
    assert error.value.reason == "METHOD_NOT_PERMITTED"
    assert isinstance(error.value, OperatorError)


def test_a_proxy_that_says_no_more_than_the_code(script: Script, address: str) -> None:
    """The class of the code counts where there is no reason."""
    script.failures = [(grpc.StatusCode.UNAUTHENTICATED, "", "Jwt is missing")]
    with (
        Sequela(address) as sequela,
        pytest.raises(AuthenticationError, match="Jwt is missing; identify") as error,
    ):
        sequela.explain(SEQUENCE, model="m")
    assert type(error.value) is AuthenticationError


def test_a_token_file_is_read_for_every_call(guarded_address: str, guard: Guard, token_file: Path) -> None:
    """A new token is used at once; while the file is empty or gone, the last one is."""
    guard.tokens["new"] = None
    with Sequela(guarded_address, token_file=token_file) as sequela:
        for content in (SECRET, "new", "", None):
            if content is None:
                token_file.unlink()
            else:
                token_file.write_text(content)
            sequela.explain(SEQUENCE, model="m")
    assert guard.seen == [f"Bearer {token}" for token in (SECRET, "new", "new", "new")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must be one token"),
        (f"{SECRET} {SECRET}", "without spaces"),
        ("é" * 9, "ASCII"),
        ("x" * 9_000, "8000"),
    ],
)
def test_a_token_file_that_is_none(token_file: Path, content: str, said: str) -> None:
    """Said when the client is made, without the content."""
    token_file.write_text(content)
    with pytest.raises(CallerError, match=f"token file {token_file}: .*{said}") as error:
        Sequela("localhost", token_file=token_file)
    assert SECRET not in str(error.value)
    with pytest.raises(CallerError, match="No such file"):
        Sequela("localhost", token_file=token_file.with_name("nowhere"))


def test_a_token_is_not_sent_in_plain_text_to_other_machines(token_file: Path) -> None:
    """Unless something else encrypts it."""
    with pytest.raises(CallerError, match="--token-without-tls") as error:
        Sequela("fraud.example:50051", token_file=token_file)
    assert error.value.reason == "TOKEN_WITHOUT_TLS"
    Sequela("fraud.example:50051", token_file=token_file, token_without_tls=True).close()
    Sequela("fraud.example:50051", token_file=token_file, secure=True).close()
    Sequela("unix:/run/sequela", token=SECRET).close()


def test_no_secret_in_any_text(guarded_address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in what objects print, nor in errors and logs."""
    caplog.set_level(logging.DEBUG)
    given = Credentials(token=SECRET)
    texts = [repr(given), str(given), repr(RunOptions(credentials=given))]
    for how in ({"token": f"{SECRET}x"}, {"token": f"{SECRET} {SECRET}"}):
        with pytest.raises(SequelaError) as error:
            listed(guarded_address, **how)
        texts += [repr(error.value), str(error.value)]
    assert not any(SECRET in text for text in [*texts, caplog.text])


def test_credentials_can_be_sent_to_workers() -> None:
    """Ray and Spark pickle them."""
    given = Credentials(ca=Path("ca.pem"), token_file="token")
    assert pickle.loads(pickle.dumps(given)) == given
    assert hash(given) == hash(Credentials(ca=Path("ca.pem"), token_file="token"))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"token": "a", "token_file": "b"}, "only one of them"),
        ({"token": "a", "credentials": Credentials(secure=True)}, "has them all"),
        ({"secure": True, "credentials": grpc.ssl_channel_credentials()}, "channel credentials of gRPC"),
        ({"certificate": "a"}, "must be given together"),
    ],
)
def test_arguments_that_do_not_go_together(how: dict[str, Any], said: str) -> None:
    """Said when the client is made."""
    with pytest.raises(CallerError, match=said):
        Sequela("localhost", **how)


def test_a_token_goes_with_channel_credentials_of_grpc(guarded_address: str, guard: Guard) -> None:
    """They say nothing about tokens of ours."""
    with Sequela(guarded_address, token=SECRET, credentials=grpc.local_channel_credentials()) as sequela:
        sequela.explain(SEQUENCE, model="m")
    assert guard.seen == [f"Bearer {SECRET}"]


class Authority:
    """An authority, a server that requires certificates from it, and a client's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own, self.other = trustme.CA(), trustme.CA()
        self.ca = folder / "ca.pem"
        self.own.cert_pem.write_to_path(str(self.ca))
        self.client = PemPair.write(folder, "client", "client@example.org", by=self.own)
        server = PemPair.write(folder, "server", "127.0.0.1", by=self.own)
        self.credentials = grpc.ssl_server_credentials(
            [(server.key.read_bytes(), server.certificate.read_bytes())], self.own.cert_pem.bytes(), True
        )

    @property
    def given(self) -> Credentials:
        return Credentials(ca=self.ca, certificate=self.client.certificate, key=self.client.key)

    def reissue(self, by: trustme.CA) -> None:
        """Replaces the client's certificate and key."""
        PemPair.write(self.folder, "client", "client@example.org", by=by)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class SlowScript(Script):
    """Answers an explanation only after the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.released = threading.Event(), threading.Event()
        self.peers: list[str] = []

    def Explain(self, request: Any, context: Any) -> Any:  # noqa: N802 the method has gRPC's name
        if request.caller_id == "slow":
            self.entered.set()
            self.released.wait(PATIENCE)
        self.peers.append(context.auth_context()["x509_pem_cert"][0].decode())
        return super().Explain(request, context)


def test_new_certificates_are_used_and_calls_under_way_go_on(authority: Authority) -> None:
    """The next call has the new certificate, over a connection of its own; the call before it ends as it began."""
    script = SlowScript()
    with (
        guarded(script, credentials=authority.credentials) as where,
        Sequela(where, credentials=authority.given) as sequela,
    ):
        before = authority.client.certificate.read_text().strip()
        answers: list[Any] = []
        slow = threading.Thread(
            target=lambda: answers.append(sequela.explain(SEQUENCE, model="m", caller_id="slow"))
        )
        slow.start()
        assert script.entered.wait(PATIENCE)
        authority.reissue(authority.own)
        after = authority.client.certificate.read_text().strip()
        sequela.explain(SEQUENCE, model="m", caller_id="fast")
        script.released.set()
        slow.join(PATIENCE)
    assert [peer.strip() for peer in script.peers] == [after, before]
    assert [answer.caller_id for answer in answers] == ["slow"]


def test_the_same_for_asyncio(authority: Authority) -> None:
    """The call before the change ends as it began."""
    script = SlowScript()

    async def ask(where: str) -> list[str]:
        async with AsyncSequela(where, credentials=authority.given) as sequela:
            slow = asyncio.create_task(sequela.explain(SEQUENCE, model="m", caller_id="slow"))
            await asyncio.to_thread(script.entered.wait, PATIENCE)
            authority.reissue(authority.own)
            fast = await sequela.explain(SEQUENCE, model="m", caller_id="fast")
            script.released.set()
            return [fast.caller_id, (await slow).caller_id]

    with guarded(script, credentials=authority.credentials) as where:
        assert asyncio.run(ask(where)) == ["fast", "slow"]
    assert len(set(script.peers)) == 2


def test_a_rotation_that_is_half_done(
    authority: Authority, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """While certificate and key do not fit, the last ones stay in use; then the new ones are."""
    old = authority.client.key.read_bytes()
    with (
        guarded(script, credentials=authority.credentials) as where,
        Sequela(where, credentials=authority.given) as sequela,
    ):
        sequela.explain(SEQUENCE, model="m")
        authority.reissue(authority.own)
        new = authority.client.key.read_bytes()
        authority.client.key.write_bytes(old)
        sequela.explain(SEQUENCE, model="m")
        assert "the last ones stay in use" in caplog.text
        authority.client.key.write_bytes(new)
        sequela.explain(SEQUENCE, model="m")
        # A new certificate from elsewhere shows that it was read.
        authority.reissue(authority.other)
        with pytest.raises(ClientCertificateRefused):
            sequela.explain(SEQUENCE, model="m")
        authority.reissue(authority.own)
        authority.other.cert_pem.write_to_path(str(authority.ca))
        with pytest.raises(CertificateNotTrusted):
            sequela.explain(SEQUENCE, model="m")


def test_a_key_of_another_certificate(authority: Authority) -> None:
    """Said when the client is made; gRPC itself would only log it."""
    other = PemPair.write(authority.folder, "other", "client@example.org", by=authority.own)
    with pytest.raises(CallerError, match="is not the key of the certificate") as error:
        Sequela("localhost", ca=authority.ca, certificate=authority.client.certificate, key=other.key)
    assert error.value.reason == "TLS_FILES_DIFFER"


def test_a_key_with_a_password(authority: Authority) -> None:
    """Said when the client is made, with the way out; nobody is asked for the password."""
    from cryptography.hazmat.primitives import serialization as pem  # noqa: PLC0415 trustme brings it

    key = pem.load_pem_private_key(authority.client.key.read_bytes(), None)
    authority.client.key.write_bytes(
        key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"secret"))
    )
    with pytest.raises(CallerError, match="the key has a password; remove it with openssl"):
        Sequela("localhost", credentials=authority.given)


def test_the_command_reads_the_token(
    run: Run, guarded_address: str, guard: Guard, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option and by the variable; the option counts."""
    ask = ("models", "--server", guarded_address)
    run(*ask, "--token-file", token_file)
    monkeypatch.setenv("SEQUELA_TOKEN_FILE", str(token_file))
    run(*ask)
    other = token_file.with_name("other")
    other.write_text("unknown")
    done = run(*ask, "--token-file", other)
    assert guard.seen == [f"Bearer {SECRET}", f"Bearer {SECRET}", "Bearer unknown"]
    assert (done.exit_code, "the token is not known; check that --token-file" in done.stderr) == (1, True)


def test_variables_do_not_disturb_a_command_without_server(
    run: Run, alert: Path, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are meant for named servers; the option itself is refused."""
    command = ("explain", "--model", "m.onnx", "--sequence", alert)
    monkeypatch.setenv("SEQUELA_TOKEN_FILE", str(token_file))
    assert "go with --server" not in run(*command).stderr
    done = run(*command, "--token-file", token_file)
    assert (done.exit_code, "go with --server" in done.stderr) == (2, True)
