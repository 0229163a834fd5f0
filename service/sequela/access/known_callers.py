"""Authentication by tokens, certificates and signed tokens, as the operator has configured them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sequela.access.caller import AuthenticationMethod, Caller
from sequela.access.credentials import CallerCredentials, ClientCertificate
from sequela.access.deny_list import DenyList
from sequela.access.identity_file import IdentityFile
from sequela.access.roles import EVERY_ROLE
from sequela.access.token_file import TokenFile
from sequela.access.watched_files import WatchedFiles
from sequela.errors import NotAuthenticated


class SignedTokens(Protocol):
    """Tokens that an identity provider has signed."""

    def caller(self, token: str) -> Caller:
        """Returns whose token it is. Raises NotAuthenticated, or Unavailable while the keys are missing."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownCallers:
    """See `Authenticator`. A part that is None is not configured.

    Attributes:
        tokens: The file of tokens.
        identities: The file of identities.
        signed: The tokens that an identity provider signs.
        revoked: The file of revoked clients.
        any_certificate: Whether every client with a certificate of the clients' authority may do everything. That is
            so if certificates are required, and nothing else says who may do what.
    """

    tokens: WatchedFiles[TokenFile] | None = None
    identities: WatchedFiles[IdentityFile] | None = None
    signed: SignedTokens | None = None
    revoked: WatchedFiles[DenyList] | None = None
    any_certificate: bool = False

    enabled = True

    @property
    def accepts_tokens(self) -> bool:
        """Whether a token alone can say who the caller is."""
        return self.tokens is not None or self.signed is not None

    @property
    def accepts_certificates(self) -> bool:
        """Whether a certificate alone can say who the caller is."""
        return self.identities is not None or self.any_certificate

    def identify(self, credentials: CallerCredentials) -> Caller:
        """Returns the caller: the owner of the token, if there is one, or else of the certificate."""
        revoked = self.revoked.current() if self.revoked else None
        if revoked and credentials.certificate:
            revoked.check_certificate(credentials.certificate)
        caller = self._caller(credentials)
        if revoked:
            revoked.check_names([caller.name])
        return caller

    def _caller(self, credentials: CallerCredentials) -> Caller:
        if credentials.token and self.accepts_tokens:
            return self._by_token(credentials.token)
        if credentials.certificate and self.accepts_certificates:
            return self._by_certificate(credentials.certificate)
        raise NotAuthenticated("CREDENTIALS_MISSING", f"the server requires authentication: {self._ways()}")

    def _by_token(self, token: str) -> Caller:
        # Tokens of the file have no dots, and signed ones have two.
        if self.signed and (token.count(".") == 2 or not self.tokens):
            return self.signed.caller(token)
        assert self.tokens
        return self.tokens.current().caller(token)

    def _by_certificate(self, certificate: ClientCertificate) -> Caller:
        if self.identities:
            return self.identities.current().caller(certificate)
        name = next(iter(certificate.identities), f"sha256:{certificate.fingerprint}")
        return Caller(name, EVERY_ROLE, AuthenticationMethod.CERTIFICATE)

    def _ways(self) -> str:
        token = "send a token as `authorization: Bearer TOKEN`" if self.accepts_tokens else ""
        certificate = "connect with a client certificate" if self.accepts_certificates else ""
        return ", or ".join(filter(None, (token, certificate)))
