"""The credentials of a gRPC call: a token in its metadata, and the certificate of its connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sequela.access.credentials import ClientCertificate, Credentials, bearer_token
from sequela.api.grpc.context import Context

AUTHORIZATION_KEY = "authorization"


def token_of(metadata: Iterable[Any] | None) -> str:
    """Returns the bearer token in a call's metadata, or empty."""
    # Of several, the last one counts, as in a mapping. A value that is not text is of a key for bytes.
    found = dict(metadata or ()).get(AUTHORIZATION_KEY, "")
    return bearer_token(found) if isinstance(found, str) else ""


def credentials_of(context: Context, token: str) -> Credentials:
    """Returns the token, and the certificate of the call's connection."""
    return Credentials(token, _certificate(context.auth_context()))


def _certificate(properties: Mapping[str, Iterable[bytes]]) -> ClientCertificate | None:
    """Returns the client's certificate, or None if the connection has none."""
    pem = _texts(properties, "x509_pem_cert")
    if not pem:
        return None
    return ClientCertificate.of(pem[0], _texts(properties, "peer_dns"), _texts(properties, "peer_uri"))


def _texts(properties: Mapping[str, Iterable[bytes]], key: str) -> list[str]:
    return [each.decode("utf-8", "replace") for each in properties.get(key, ())]
