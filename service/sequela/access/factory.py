"""Builds authentication from the operator's files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sequela.access.authenticator import Authenticator, NoAuthentication
from sequela.access.deny_list import DenyList
from sequela.access.identity_file import IdentityFile
from sequela.access.known_callers import KnownCallers, SignedTokens
from sequela.access.token_file import TokenFile
from sequela.access.watched_files import Report, WatchedFiles, text_file
from sequela.errors import InvalidInput, Unsupported

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedTokenSettings:
    """The issuer, audience, keys (a path or a URL) and the claim with the roles of signed tokens."""

    issuer: str
    audience: str
    keys: str
    roles_claim: str


@dataclass(frozen=True, slots=True)
class AccessFiles:
    """The operator's files; None for those that are not configured."""

    tokens: Path | None = None
    identities: Path | None = None
    revoked: Path | None = None
    signed: SignedTokenSettings | None = None


def authenticator(
    files: AccessFiles, client_certificates: bool, report: Report, closing: contextlib.ExitStack
) -> Authenticator:
    """Returns the authenticator.

    Args:
        files: The operator's files.
        client_certificates: Whether clients need a certificate.
        report: Receives every change of a file.
        closing: Receives what must be closed at the end.

    Raises:
        OSError: A file cannot be read.
        InvalidInput: ACCESS_FILE_INVALID.
        Unsupported: JWT_NOT_INSTALLED.
    """
    named = files.tokens or files.identities or files.signed
    if not (named or client_certificates):
        return NoAuthentication()
    return KnownCallers(
        tokens=_watch("tokens", files.tokens, TokenFile.parse, report, TokenFile(())),
        identities=_watch("identities", files.identities, IdentityFile.parse, report, IdentityFile({})),
        signed=_signed(files.signed, report, closing) if files.signed else None,
        revoked=_watch("revoked", files.revoked, DenyList.parse, report, DenyList()),
        any_certificate=not named,
    )


def _watch(
    name: str, path: Path | None, parse: Callable[[str], T], report: Report, empty: T | None = None
) -> WatchedFiles[T] | None:
    if path is None:
        return None
    with _invalid_files(name):
        return text_file(name, path, parse, report, empty)


def _signed(settings: SignedTokenSettings, report: Report, closing: contextlib.ExitStack) -> SignedTokens:
    try:
        # PyJWT is an extra.
        from sequela.access.key_sources import KeyFile, KeyUrl  # noqa: PLC0415
        from sequela.access.signed_tokens import JsonWebTokens, TokenRules  # noqa: PLC0415
    except ImportError:
        text = "--jwt-issuer needs PyJWT: run pip install '.[service,jwt]' in a clone of the repository"
        raise Unsupported("JWT_NOT_INSTALLED", text) from None
    with _invalid_files("jwt-keys"):
        keys = (
            KeyUrl(settings.keys, report) if "://" in settings.keys else KeyFile(Path(settings.keys), report)
        )
    closing.callback(keys.close)
    return JsonWebTokens(TokenRules(settings.issuer, settings.audience, settings.roles_claim), keys)


@contextlib.contextmanager
def _invalid_files(option: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise InvalidInput("ACCESS_FILE_INVALID", f"--{option} {error}") from None
