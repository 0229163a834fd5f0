"""The credentials of a gRPC call: a token in its metadata, and the certificate of its connection."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from sequela.access.credentials import CallerCredentials, ClientCertificate, bearer_token
from sequela.api.grpc.context import Context

AUTHORIZATION_KEY = "authorization"


def token_of(metadata: Iterable[Any] | None) -> str:
    """Returns the bearer token in a call's metadata, or empty."""
    # Of several, the last one counts, as in a mapping. A value that is not text is of a key for bytes.
    found = dict(metadata or ()).get(AUTHORIZATION_KEY, "")
    return bearer_token(found) if isinstance(found, str) else ""


def credentials_of(context: Context, token: str) -> CallerCredentials:
    """Returns the token, and the certificate of the call's connection."""
    return CallerCredentials(token, _certificate(context.auth_context()))


def _certificate(properties: Mapping[str, Iterable[bytes]]) -> ClientCertificate | None:
    """Returns the client's certificate, or None if the connection has none."""
    pem = properties.get("x509_pem_cert")
    if not pem:
        return None
    dns, uris = properties.get("peer_dns", ()), properties.get("peer_uri", ())
    return _parse(next(iter(pem)), tuple(dns), tuple(uris))


# A connection sends the same certificate with every call.
@lru_cache(maxsize=1024)
def _parse(pem: bytes, dns: tuple[bytes, ...], uris: tuple[bytes, ...]) -> ClientCertificate:
    return ClientCertificate.of(ssl.PEM_cert_to_DER_cert(pem.decode()), map(_text, dns), map(_text, uris))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
