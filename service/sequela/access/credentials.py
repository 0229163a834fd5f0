"""The credentials of a caller."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from sequela.access.identity_names import normal_name

SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that TLS has checked.

    Attributes:
        identities: The DNS names and URIs that the certificate is for, as `dns:NAME` and `uri:URI`.
        fingerprint: The SHA-256 of the certificate in DER, in hexadecimal digits.
    """

    identities: tuple[str, ...]
    fingerprint: str

    @classmethod
    def of(cls, der: bytes, dns: Iterable[str], uris: Iterable[str]) -> ClientCertificate:
        """Returns the record of a certificate in DER."""
        names = (*(f"dns:{each}" for each in dns), *(f"uri:{each}" for each in uris))
        return cls(tuple(map(normal_name, names)), hashlib.sha256(der).hexdigest())


@dataclass(frozen=True, slots=True)
class CallerCredentials:
    """The credentials of one request: a token, or empty, and the certificate of the connection, if there is one."""

    token: str = field(default="", repr=False)
    certificate: ClientCertificate | None = None


def bearer_token(header: str) -> str:
    """Returns the token in an `authorization` header, or empty if it holds none."""
    return header[len(SCHEME) :].strip() if header[: len(SCHEME)].lower() == SCHEME else ""
