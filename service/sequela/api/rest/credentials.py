"""The credentials of an HTTP request: a token in its headers, and the certificate of its connection."""

from __future__ import annotations

from starlette.requests import Request

from sequela.access.credentials import CallerCredentials, bearer_token

CERTIFICATE_EXTENSION = "sequela.client_certificate"
"""The key of the client's certificate among the extensions of an ASGI scope. The HTTP server sets it."""


def request_credentials(request: Request) -> CallerCredentials:
    """Returns the credentials of a request."""
    certificate = request.scope.get("extensions", {}).get(CERTIFICATE_EXTENSION)
    return CallerCredentials(bearer_token(request.headers.get("authorization", "")), certificate)
