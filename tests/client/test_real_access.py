"""Tokens, certificates and roles against the real server: what gets through, and what the others are told to do."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from client.command_runs import Run
from client.pem_files import PemPair
from matrix import BY_NAME
from sequela_client import (
    AsyncSequela,
    AuthenticationError,
    CredentialsMissing,
    CredentialsRevoked,
    IdentityUnknown,
    PermissionDenied,
    Sequela,
    SequelaError,
    TokenExpired,
    TokenRefused,
)
from serving import Serving, embedded

GRU = BY_NAME["gru"]
AUTHORITY = trustme.CA()
TOKENS = {
    name: f"sequela_{name}-0123456789abcdef0123456789abcdef" for name in ("mine", "reader", "old", "gone")
}


def line(name: str, roles: str, days: int) -> str:
    """A line of the server's file of tokens."""
    digest = hashlib.sha256(TOKENS[name].encode()).hexdigest()
    expires = datetime.now(UTC) + timedelta(days=days)
    return f"{name} sha256:{digest} {roles} {expires:%Y-%m-%dT%H:%M:%SZ}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the servers and of their clients."""
    place = tmp_path_factory.mktemp("access")
    AUTHORITY.cert_pem.write_to_path(str(place / "ca.pem"))
    PemPair.write(place, "server", "127.0.0.1", by=AUTHORITY)
    for name in ("known", "strange", "revoked"):
        PemPair.write(place, name, f"{name}.example.org", by=AUTHORITY)
    lines = line("mine", "admin", 9) + line("reader", "read", 9) + line("old", "explain", -1)
    (place / "tokens").write_text(lines + line("gone", "read", 9))
    (place / "identities").write_text("dns:known.example.org explain\ndns:revoked.example.org explain\n")
    (place / "denied").write_text("gone\ndns:revoked.example.org\n")
    return place


def secured(folder: Path, **more: Any) -> Serving:
    return Serving(
        embedded(
            tls_certificate=folder / "server.pem",
            tls_key=folder / "server.key",
            revoked=folder / "denied",
            **more,
        )
    )


@pytest.fixture(scope="module")
def by_token(folder: Path) -> Iterator[str]:
    """A server that knows tokens."""
    with secured(folder, tokens=folder / "tokens") as server:
        yield server.bound.grpc


@pytest.fixture(scope="module")
def by_certificate(folder: Path) -> Iterator[str]:
    """A server that knows certificates."""
    with secured(folder, tls_client_ca=folder / "ca.pem", identities=folder / "identities") as server:
        yield server.bound.grpc


def question() -> dict[str, Any]:
    return {
        "sequence": GRU.sample(4)["events"],
        "model": GRU.path,
        "background": GRU.average()["events"],
        "levels": ["event"],
    }


def test_a_token_gets_through(by_token: str, folder: Path, tmp_path: Path) -> None:
    """It uploads, explains one and many, lists and deletes; its file is read again for every call."""
    file = tmp_path / "token"
    file.write_text(TOKENS["mine"] + "\n")
    asked = question()
    sequence = asked.pop("sequence")
    with Sequela(by_token, ca=folder / "ca.pem", token_file=file) as sequela:
        made = sequela.explain(sequence, caller_id="alert", **asked)
        (many,) = sequela.explain_many([sequence], **asked)
        assert many.unwrap().score == made.score
        assert made.name in [each.name for each in sequela.list_explanations(caller_id="alert")]
        file.write_text(TOKENS["old"])
        with pytest.raises(TokenExpired, match="--token-file"):
            sequela.get_explanation(made.name)
        file.write_text(TOKENS["mine"])
        assert sequela.delete_explanations(caller_id="alert") == 1

    async def ask() -> float:
        async with AsyncSequela(by_token, ca=folder / "ca.pem", token_file=file) as sequela:
            return (await sequela.explain(sequence, **asked)).score

    assert asyncio.run(ask()) == made.score


@pytest.mark.parametrize(
    ("token", "kind", "reason"),
    [
        (None, CredentialsMissing, "CREDENTIALS_MISSING"),
        ("sequela_unknown-0123456789abcdef0123456789abcdef", TokenRefused, "TOKEN_UNKNOWN"),
        (TOKENS["old"], TokenExpired, "TOKEN_EXPIRED"),
        (TOKENS["gone"], CredentialsRevoked, "CALLER_REVOKED"),
    ],
)
def test_each_refusal_of_a_token(
    by_token: str, folder: Path, token: str | None, kind: type[SequelaError], reason: str
) -> None:
    """By calls and streams; without the token in the message."""
    asked = question()
    sequence, asked["model"] = asked.pop("sequence"), "gru"
    with Sequela(by_token, ca=folder / "ca.pem", token=token) as sequela:
        for call in (
            lambda: list(sequela.models()),
            lambda: list(sequela.explain_many([sequence], **asked)),
        ):
            with pytest.raises(AuthenticationError) as error:
                call()
            assert (type(error.value), error.value.reason) == (kind, reason)
            assert not token or token not in str(error.value)


def test_a_role_that_is_missing(by_token: str, folder: Path) -> None:
    """The message says which role is needed; uploads are for admin only."""
    with Sequela(by_token, ca=folder / "ca.pem", token=TOKENS["reader"]) as sequela:
        assert list(sequela.list_explanations(caller_id="nobody")) == []
        with pytest.raises(PermissionDenied, match="needs the role admin") as error:
            sequela.delete_explanations(caller_id="alert")
        assert error.value.reason == "METHOD_NOT_PERMITTED"
        with pytest.raises(PermissionDenied, match="needs the role"):
            sequela.explain(**question())


@pytest.mark.parametrize(
    ("name", "kind"), [("strange", IdentityUnknown), ("revoked", CredentialsRevoked), ("known", None)]
)
def test_certificates(by_certificate: str, folder: Path, name: str, kind: type[SequelaError] | None) -> None:
    """One with roles gets through; one without, and one that was revoked, are refused."""
    pair = {"certificate": folder / f"{name}.pem", "key": folder / f"{name}.key"}
    with Sequela(by_certificate, ca=folder / "ca.pem", **pair) as sequela:
        if kind is None:
            assert list(sequela.models()) == []
            return
        with pytest.raises(AuthenticationError) as error:
            list(sequela.models())
        assert type(error.value) is kind


def test_the_command(run: Run, by_token: str, folder: Path, tmp_path: Path) -> None:
    """The line of an error says what to do, and the exit code who has to act."""
    ask = ("list", "--caller-id", "nobody", "--server", by_token, "--ca", folder / "ca.pem")
    file = tmp_path / "token"
    for token, code, said in (
        ("reader", 0, "no such explanations"),
        ("old", 1, "write a new one to the file of --token-file"),
    ):
        file.write_text(TOKENS[token])
        done = run(*ask, "--token-file", file)
        assert (done.exit_code, said in " ".join(done.output.split())) == (code, True), done.output
    missing = (
        "error: the server requires authentication; name the file with your token with --token-file FILE, or"
    )
    assert " ".join(run(*ask).stderr.split()).startswith(missing)
    file.write_text(TOKENS["old"])
    for refused in (run(*ask), run(*ask, "--token-file", file)):
        said = refused.stderr
        assert [each in said for each in ("in Python", "=)", "Bearer", "use a new one")] == [False] * 4, said
    file.write_text(TOKENS["reader"])
    done = run("delete", "--label", "a=b", "--yes", *ask[3:], "--token-file", file)
    assert (done.exit_code, "needs the role admin" in done.stderr) == (4, True), done.output
