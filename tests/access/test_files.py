"""The files of tokens, identities and revoked clients: what they say, and what is wrong in them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest
from credential_files import replace, token_line
from sequela.access.credentials import CallerCredentials, ClientCertificate, bearer_token
from sequela.access.deny_list import DenyList
from sequela.access.identity_file import IdentityFile
from sequela.access.roles import AccessRole
from sequela.access.token_file import TokenFile
from sequela.access.watched_files import text_file
from sequela.errors import NotAuthenticated
from sequela.explain.telemetry import CredentialsReloaded

DIGEST = hashlib.sha256(b"secret-token").hexdigest()
CERTIFICATE = ClientCertificate(("dns:a.example", "uri:spiffe://bank/a"), "ab" * 32)


def test_a_file_of_tokens() -> None:
    """Names, roles and times; comments and empty lines are skipped."""
    text = f"# clients\n\na sha256:{DIGEST} explain,read 2999-05-31T00:00:00Z # of a\n" + token_line(
        "b", "t", "admin"
    )
    file = TokenFile.parse(text + f"c sha256:{'0' * 64} read never\n")
    assert file.caller("secret-token").name == "a"
    assert file.caller("secret-token").roles == {AccessRole.EXPLAIN, AccessRole.READ}
    assert file.caller("t").roles == {AccessRole.ADMIN}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "a secret-token explain never",
            "line 2: the second word must be `sha256:` and 64 hexadecimal digits",
        ),
        (f"a sha256:{DIGEST} explain", "line 2: a line must be `NAME sha256:DIGEST ROLES EXPIRES`"),
        (f"a sha256:{DIGEST} write never", "line 2: roles must be some of explain, read, admin, not 'write'"),
        (f"a sha256:{DIGEST} explain tomorrow", "line 2: the time of expiry must be such as"),
        (f"a,b sha256:{DIGEST} explain never", "line 2: the name may have at most 128"),
        ("".join(f"a sha256:{n:064} read never\n" for n in range(3)), "a has 3 tokens that have not expired"),
    ],
)
def test_wrong_tokens(line: str, said: str) -> None:
    """The message names the line, and never repeats what may be a token."""
    with pytest.raises(ValueError, match=r"line 2|3 tokens") as caught:
        TokenFile.parse(f"# tokens\n{line}\n")
    assert str(caught.value).startswith(said)
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("parse", [TokenFile.parse, IdentityFile.parse], ids=["tokens", "identities"])
def test_an_empty_file_is_a_mistake(parse: Callable[[str], object]) -> None:
    """Nobody could call. It may be that somebody is writing it, so the content before it stays."""
    with pytest.raises(ValueError, match="holds no"):
        parse("# nothing yet\n\n")


def test_two_tokens_at_a_time_besides_expired_ones() -> None:
    """Old lines may stay in the file."""
    lines = [token_line("a", f"t{n}", "read", days=-n) for n in range(1, 5)]
    file = TokenFile.parse(
        "".join([*lines, token_line("a", "new", "read"), token_line("a", "newer", "read")])
    )
    assert file.caller("newer").name == "a"
    with pytest.raises(NotAuthenticated) as caught:
        file.caller("t1")
    assert caught.value.reason == "TOKEN_EXPIRED"


def test_every_token_is_compared_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a comparison whose time depends on no content, and with all entries, wherever the right one is."""
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    file = TokenFile.parse("".join(token_line(f"c{n}", f"t{n}", "read") for n in range(5)))
    for token in ("t0", "t4", "none"):
        compared.clear()
        try:
            file.caller(token)
        except NotAuthenticated:
            assert token == "none"
        assert len(compared) == 5
        assert {len(each) for pair in compared for each in pair} == {32}, "digests, and not tokens"


def test_a_file_of_identities() -> None:
    """DNS names ignore case, SPIFFE ids do not; the first known identity of a certificate counts."""
    file = IdentityFile.parse(
        "dns:A.example explain\nspiffe://bank/b read,admin\nuri:https://c.example/x read\n"
    )
    assert file.caller(CERTIFICATE).name == "dns:a.example"
    other = ClientCertificate(("dns:b.example", "uri:spiffe://bank/b"), "")
    assert file.caller(other).roles == {AccessRole.READ, AccessRole.ADMIN}
    with pytest.raises(NotAuthenticated, match=r"dns:b\.example") as caught:
        file.caller(ClientCertificate(("dns:b.example", "uri:spiffe://bank/B"), ""))
    assert caught.value.reason == "IDENTITY_UNKNOWN"
    for wrong in ("a.example explain", "dns: explain", "dns:a.example", "dns:a explain\ndns:A read"):
        with pytest.raises(ValueError, match="line"):
            IdentityFile.parse(wrong)


def test_a_file_of_revoked_clients() -> None:
    """By name, by identity, and by fingerprint with and without colons, in either case."""
    colons = ":".join(["AB"] * 32)
    for line in ("dns:a.example", "uri:spiffe://bank/a", f"sha256:{'ab' * 32}", f"SHA256:{colons} # lost"):
        with pytest.raises(NotAuthenticated) as caught:
            DenyList.parse(f"# revoked\n{line}\n").check_certificate(CERTIFICATE)
        assert caught.value.reason == "CALLER_REVOKED"
    DenyList.parse(f"dns:other\nsha256:{'ac' * 32}\n").check_certificate(CERTIFICATE)
    with pytest.raises(NotAuthenticated):
        DenyList.parse("client-a\n").check_names(["client-a"])
    for wrong in ("two words", "sha256:12"):
        with pytest.raises(ValueError, match="line 1"):
            DenyList.parse(wrong)


REVOKED_NAMES = [
    ("spiffe://bank/a", "uri:spiffe://bank/a"),
    ("SPIFFE://Bank/a", "uri:spiffe://bank/a"),
    ("uri:spiffe://Bank/a", "uri:spiffe://bank/a"),
    ("URI:https://c.example/x#part # comment", "uri:https://c.example/x#part"),
    ("dns:Scorer.Bank", "dns:scorer.bank"),
    ("DNS:Scorer.Bank\t# comment", "dns:scorer.bank"),
    ("dns:Scorer", "dns:Scorer"),
    ("jwt:tenant#svc", "jwt:tenant#svc"),
    ("jwt:tenant#svc # comment", "jwt:tenant#svc"),
    ("jwt:auth0|a b", "jwt:auth0|a b"),
    ("jwt:auth0|a  b\t# of a", "jwt:auth0|a  b"),
    ('"jwt:auth0|a # b" # of a', "jwt:auth0|a # b"),
    ('"jwt:\\u00e9 \\"x\\" "# of a', 'jwt:\u00e9 "x" '),
    ('"dns:Scorer.Bank"', "dns:scorer.bank"),
    ("  client-a  ", "client-a"),
]


@pytest.mark.parametrize(("line", "name"), REVOKED_NAMES)
def test_a_revoked_name_is_refused_however_it_is_written(line: str, name: str) -> None:
    """As in the file of identities, or as in the audit log. Other lines of the file count as well."""
    denied = DenyList.parse(f"first\n{line}\nlast\n")
    for each in (name, "first", "last"):
        with pytest.raises(NotAuthenticated) as caught:
            denied.check_names([each])
        assert caught.value.reason == "CALLER_REVOKED"
    denied.check_names(
        ["jwt:tenant", "dns:other", "jwt:auth0|a", "jwt:Tenant#svc", "Client-a", "uri:spiffe://bank/A"]
    )


@pytest.mark.parametrize(("line", "name"), REVOKED_NAMES[:6])
def test_certificates_and_both_files_write_identities_alike(line: str, name: str) -> None:
    """What gives a certificate its roles in one file takes them away in the other."""
    dns = ["SCORER.bank"] if name.startswith("dns:") else []
    uris = [] if dns else [name.removeprefix("uri:").replace("//bank", "//BANK")]
    certificate = ClientCertificate.of(b"der", dns, uris)
    word = line.split(maxsplit=1)[0]
    assert IdentityFile.parse(f"{word} explain # comment").caller(certificate).name == name
    with pytest.raises(NotAuthenticated):
        DenyList.parse(line).check_certificate(certificate)


@pytest.mark.parametrize(
    "line", ["client-a# left", "dns:a#b", '"jwt:a', '"jwt:a" b', "client-a client-b", "dns:a jwt:b"]
)
def test_a_line_that_would_revoke_nobody(line: str) -> None:
    """It is a mistake, which the operator must see."""
    with pytest.raises(ValueError, match="line 2"):
        DenyList.parse(f"first\n{line}\n")


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    """Only then. Something wrong keeps the content before it, and is told once."""
    path, told, reads = tmp_path / "file", list[CredentialsReloaded](), list[str]()

    def parse(text: str) -> int:
        reads.append(text)
        return int(text)

    path.write_text("1")
    file = text_file("tokens", path, parse, told.append)
    assert [file.current(), file.current(), len(reads)] == [1, 1, 1]
    replace(path, "22")
    assert [file.current(), file.current(), len(reads)] == [22, 22, 2]
    replace(path, "wrong")
    assert [file.current(), file.current(), len(reads)] == [22, 22, 3]
    path.unlink()
    assert [file.current(), file.current(), len(reads)] == [22, 22, 3]
    replace(path, "4")
    assert file.current() == 4
    assert [(each.source, each.ok) for each in told] == [("tokens", ok) for ok in (True, False, False, True)]
    assert str(path) in told[1].detail
    replace(path, "wrong")
    with pytest.raises(ValueError, match="wrong"):
        text_file("tokens", path, int, told.append)


def test_a_byte_order_mark_is_not_a_part_of_the_first_name(tmp_path: Path) -> None:
    """Otherwise the first client of a file that was saved on Windows would not be revoked."""
    path = tmp_path / "revoked"
    path.write_text("client-a\nclient-b\n", encoding="utf-8-sig")
    denied = text_file("revoked", path, DenyList.parse, list[CredentialsReloaded]().append).current()
    assert denied.names == {"client-a", "client-b"}


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """What was read is not used, since its parts may not belong together. The next call reads it again."""
    path, told = tmp_path / "file", list[CredentialsReloaded]()

    def parse(text: str) -> int:
        if text == "2":
            replace(path, "33")
        return int(text)

    path.write_text("1")
    file = text_file("tls", path, parse, told.append)
    replace(path, "2")
    assert file.current() == 1
    assert file.current() == 33
    assert [each.ok for each in told] == [True]


def test_headers_and_records() -> None:
    """A bearer token, in either case of the scheme. Credentials do not show it."""
    assert bearer_token("Bearer abc") == bearer_token("bearer  abc ") == "abc"
    assert (
        bearer_token("") == bearer_token("abc") == bearer_token("Basic abc") == bearer_token("Bearer") == ""
    )
    assert "abc" not in repr(CallerCredentials("abc"))
