"""The settings of access control: who may call which methods."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, model_validator


class AccessSettings(BaseModel):
    """A part of `Settings`. Authentication is on if there are tokens, identities or signed tokens."""

    tokens: Path | None = Field(
        None,
        description="File with the tokens of clients, and their roles: the lines that `sequela token` prints. It is "
        "read again when it changes, as are the files of the next two settings.",
    )
    identities: Path | None = Field(
        None,
        description="File with the roles of clients by the DNS names and URIs in their certificates. Needs "
        "--tls-client-ca.",
    )
    revoked: Path | None = Field(
        None, description="File with the clients and certificates that are no longer accepted."
    )
    jwt_issuer: str = Field(
        "",
        description="Issuer of signed tokens (JWT), as in their claim `iss`. Needs --jwt-audience, --jwt-keys and the "
        "extra `jwt`.",
    )
    jwt_audience: str = Field("", description="Audience of signed tokens, as in their claim `aud`.")
    jwt_keys: str = Field(
        "",
        description="Path or https URL of the issuer's public keys, a JSON Web Key Set. A URL is read every 5 minutes, "
        "and when a token names an unknown key.",
    )
    jwt_roles_claim: str = Field(
        "roles",
        min_length=1,
        description="Claim with the roles of a signed token. Dots lead into objects, as in realm_access.roles.",
    )
    open_uploads: bool = Field(
        False,
        description="Let the role `explain` upload models and backgrounds, and send models and name endpoints in "
        "requests. Otherwise, with authentication, only `admin` may do this.",
    )
    open_metrics: bool | None = Field(
        None,
        description="Serve /metrics to everybody. Unset: only if --http-host is loopback; otherwise, with "
        "authentication, only to the roles `read` and `admin`.",
    )
    audit_log: Path | None = Field(
        None,
        description="File for the audit log. If the file is moved away, a new one is opened. Unset: with "
        "authentication, the audit log is part of the log.",
    )

    @property
    def authenticates(self) -> bool:
        """Whether callers need a token, or a certificate that is in the file of identities."""
        return bool(self.tokens or self.identities or self.jwt_issuer)

    @model_validator(mode="after")
    def _sign_safely(self) -> Self:
        given = {bool(each) for each in (self.jwt_issuer, self.jwt_audience, self.jwt_keys)}
        if len(given) > 1:
            raise ValueError("--jwt-issuer, --jwt-audience and --jwt-keys go together: set all or none")
        if not _is_safe(self.jwt_keys):
            raise ValueError(
                "--jwt-keys must be a path or an https URL, since whoever can change the keys can call as anybody"
            )
        return self


def _is_safe(keys: str) -> bool:
    """Returns whether nobody between the server and the keys, which are at a path or a URL, can change them."""
    if "://" not in keys:
        return True
    parts = urlsplit(keys)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    )
