"""Which of several credentials counts, and what a server says about files that it cannot use at the start."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from credential_files import Pki, replace, token_line
from sequela.access.authenticator import Authenticator, NoAuthentication
from sequela.access.credentials import CallerCredentials, ClientCertificate
from sequela.access.factory import AccessFiles, SignedTokenSettings, authenticator
from sequela.access.roles import EVERY_ROLE
from sequela.errors import InvalidInput, NotAuthenticated, Unsupported
from sequela.explain.telemetry import CredentialsReloaded
from serving import Serving, embedded

KNOWN = ClientCertificate(("dns:known.example",), "aa" * 32)
OTHER = ClientCertificate(("dns:other.example",), "bb" * 32)


def made(folder: Path, client_certificates: bool = False, **files: str) -> Authenticator:
    """Returns what authenticates by files with these contents."""
    for name, content in files.items():
        replace(folder / name, content)
    paths = {name: folder / name for name in files}
    return authenticator(AccessFiles(**paths), client_certificates, lambda _: None, ExitStack())


def reason(known: Authenticator, credentials: CallerCredentials) -> str:
    with pytest.raises(NotAuthenticated) as caught:
        known.identify(credentials)
    return caught.value.reason


def clock(now: list[float]) -> SimpleNamespace:
    """Returns a clock that stands, for one module: other threads of this process need theirs."""
    return SimpleNamespace(monotonic=lambda: now[0], time=time.time)


def test_without_anything_everybody_may_do_everything(tmp_path: Path) -> None:
    """So it was before, and so it is on loopback."""
    assert isinstance(made(tmp_path), NoAuthentication)


def test_a_token_counts_more_than_a_certificate(tmp_path: Path) -> None:
    """The certificate may be that of a proxy. A wrong token is refused, whatever the certificate is."""
    tokens = token_line("client", "token", "read")
    known = made(tmp_path, True, tokens=tokens, identities="dns:known.example explain\n")
    assert known.identify(CallerCredentials("token", KNOWN)).name == "client"
    assert known.identify(CallerCredentials("token", OTHER)).name == "client"
    assert known.identify(CallerCredentials("", KNOWN)).name == "dns:known.example"
    assert reason(known, CallerCredentials("wrong", KNOWN)) == "TOKEN_UNKNOWN"
    assert reason(known, CallerCredentials("", OTHER)) == "IDENTITY_UNKNOWN"
    assert reason(known, CallerCredentials()) == "CREDENTIALS_MISSING"


def test_a_certificate_is_not_enough_where_there_are_tokens_only(tmp_path: Path) -> None:
    """It is required for the connection, and the token says who calls."""
    known = made(tmp_path, True, tokens=token_line("client", "token", "read"))
    assert reason(known, CallerCredentials("", KNOWN)) == "CREDENTIALS_MISSING"


def test_a_token_is_ignored_where_there_are_certificates_only(tmp_path: Path) -> None:
    """A gateway may pass on a token that is meant for others."""
    known = made(tmp_path, True, identities="dns:known.example explain\n")
    assert known.identify(CallerCredentials("token", KNOWN)).name == "dns:known.example"
    anybody = made(tmp_path, True)
    assert anybody.identify(CallerCredentials("token", OTHER)).roles == EVERY_ROLE
    nameless = ClientCertificate((), "cc" * 32)
    assert anybody.identify(CallerCredentials("", nameless)).name == f"sha256:{'cc' * 32}"


@pytest.mark.parametrize("content", ["", "# nobody\n\n"], ids=["empty", "comments"])
@pytest.mark.parametrize("name", ["tokens", "identities"])
def test_an_emptied_file_means_nobody(
    tmp_path: Path, name: str, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has been so for 2 seconds, since somebody may be writing it before. The log has a warning."""
    full = {"tokens": token_line("client", "token", "read"), "identities": "dns:known.example read\n"}[name]
    credentials = {"tokens": CallerCredentials("token"), "identities": CallerCredentials("", KNOWN)}[name]
    unknown = {"tokens": "TOKEN_UNKNOWN", "identities": "IDENTITY_UNKNOWN"}[name]
    path, told, now = tmp_path / name, list[CredentialsReloaded](), [1000.0]
    replace(path, full)
    known = authenticator(AccessFiles(**{name: path}), False, told.append, ExitStack())
    monkeypatch.setattr("sequela.access.watched_files.time", clock(now))
    # A file whose time is that of a clock ahead of the server's.
    replace(path, content)
    os.utime(path, (4e9, 4e9))
    known.identify(credentials)
    now[0] += 1.9
    known.identify(credentials)
    assert told == []
    now[0] += 0.1
    assert reason(known, credentials) == reason(known, credentials) == unknown
    assert [(each.source, each.ok) for each in told] == [(name, True)]
    assert "so nobody may call" in told[0].detail
    replace(path, full)
    known.identify(credentials)
    # Nobody called for a while after the change.
    replace(path, content)
    os.utime(path, (1e9, 1e9))
    assert reason(known, credentials) == unknown


def test_an_emptied_file_of_revoked_clients_revokes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before it has been so for 2 seconds: a file that is written in place is empty for a moment."""
    path, told, now = tmp_path / "revoked", list[CredentialsReloaded](), [1000.0]
    replace(tmp_path / "tokens", token_line("client", "token", "read"))
    replace(path, "")
    files = AccessFiles(tokens=tmp_path / "tokens", revoked=path)
    known, credentials = authenticator(files, False, told.append, ExitStack()), CallerCredentials("token")
    known.identify(credentials)
    replace(path, "client\n")
    assert reason(known, credentials) == "CALLER_REVOKED"
    monkeypatch.setattr("sequela.access.watched_files.time", clock(now))
    path.write_text("")
    os.utime(path, (4e9, 4e9))
    assert reason(known, credentials) == "CALLER_REVOKED"
    now[0] += 1.9
    assert reason(known, credentials) == "CALLER_REVOKED"
    path.write_text("client\nother\n")
    now[0] += 60
    assert reason(known, credentials) == "CALLER_REVOKED"
    path.write_text("# nobody\n")
    os.utime(path, (4e9, 4e9))
    assert reason(known, credentials) == "CALLER_REVOKED"
    now[0] += 2
    known.identify(credentials)
    assert [(each.source, each.ok) for each in told] == [("revoked", True)] * 3


def test_a_revoked_certificate_is_refused_with_any_token(tmp_path: Path) -> None:
    """And a revoked client with any certificate."""
    tokens = token_line("client", "token", "read") + token_line("gone", "other", "read")
    known = made(tmp_path, True, tokens=tokens, revoked=f"sha256:{OTHER.fingerprint}\ngone\n")
    assert known.identify(CallerCredentials("token", KNOWN)).name == "client"
    assert reason(known, CallerCredentials("token", OTHER)) == "CALLER_REVOKED"
    assert reason(known, CallerCredentials("other", KNOWN)) == "CALLER_REVOKED"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tokens", "a token read never", "--tokens .*tokens: line 1: the second word"),
        ("identities", "a read", "--identities .*identities: line 1: a line must be"),
        ("tokens", "", "--tokens .*tokens: holds no token"),
        ("identities", "# nobody", "--identities .*identities: holds no identity"),
        ("revoked", "a b", "--revoked .*revoked: line 1: a line must be"),
    ],
)
def test_a_server_does_not_start_with_wrong_files(tmp_path: Path, name: str, content: str, said: str) -> None:
    """The message has the option, the file and the line."""
    (tmp_path / name).write_text(content)
    settings = embedded(**Pki(tmp_path).settings(**{name: tmp_path / name}))
    with pytest.raises(InvalidInput, match=said), Serving(settings):
        pass
    missing = embedded(**Pki(tmp_path).settings(**{name: tmp_path / "none"}))
    with pytest.raises(OSError, match="No such file"), Serving(missing):
        pass


def test_keys_of_signed_tokens_must_be_there_at_the_start(tmp_path: Path) -> None:
    """If they are in a file."""
    (tmp_path / "keys").write_text("{}")
    signed = SignedTokenSettings("issuer", "audience", str(tmp_path / "keys"), "roles")
    with pytest.raises(InvalidInput, match=r"--jwt-keys .*keys: must be a JSON Web Key Set"):
        authenticator(AccessFiles(signed=signed), False, lambda _: None, ExitStack())


def test_signed_tokens_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyJWT, the server says what to install. Servers without signed tokens do not need it."""
    for name in ("sequela.access.key_sources", "sequela.access.signed_tokens"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "jwt", None)
    signed = SignedTokenSettings("issuer", "audience", "keys", "roles")
    with pytest.raises(Unsupported, match=r"pip install '.\[service,jwt\]'"):
        authenticator(AccessFiles(signed=signed), False, lambda _: None, ExitStack())
    with Serving(embedded()):
        pass
