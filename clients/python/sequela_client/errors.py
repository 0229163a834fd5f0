"""The exceptions of the client. Their classes say who has to act: the caller, the operator, or nobody yet (try again).

`statuses.py` makes them from the errors of a server, and `connection_errors.py` from connections that failed. Mistakes
that the client itself finds, such as a missing file, are `CallerError`s too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# The client resolves errors with these reasons itself: it sends the content that the server does not have.
MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
BACKGROUND_NOT_FOUND = "BACKGROUND_NOT_FOUND"
UPLOADS_DISABLED = "UPLOADS_DISABLED"

# Reasons of errors that only the operator can resolve, whatever their status code.
OPERATORS_REASONS = frozenset({UPLOADS_DISABLED, "ENDPOINT_NOT_ALLOWED", "ENDPOINT_OFF"})


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with one argument.

    Args:
        field: the argument as it is written in Python, such as `seed` or `sequence['amounts']`.
        description: what is wrong with it, and what is allowed.
    """

    field: str
    description: str


class SequelaError(Exception):
    """The base of everything that the client raises on purpose.

    Args:
        message: what is wrong, where, and what to do.
        reason: a stable UPPER_SNAKE_CASE code for programs; empty if the server gave none.
        violations: the arguments at fault and what is wrong with each, if the server said so.
        retry_after: seconds after which trying again may help; None if the server did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        violations: Iterable[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The message, followed by those violations that it does not mention."""
        # The server shortens long descriptions in its message, and ends them with an ellipsis.
        unsaid = [v for v in self.violations if v.description.rstrip("…") not in self.message]
        return "; ".join([self.message, *(f"{v.field}: {v.description}" for v in unsaid)])


class CallerError(SequelaError):
    """The request is wrong and must be changed. `violations` name the arguments."""


class NotFound(CallerError):
    """The server has no model, background or explanation of this name."""


class ModelOrBackgroundError(CallerError):
    """The model, the background and the sequence do not fit each other, or the model fails on them."""


class OperatorError(SequelaError):
    """The server refuses the call or is broken; its operator has to act."""


class NotImplementedByServer(OperatorError):
    """The server's version does not have this feature."""


class TryAgain(SequelaError):
    """The server is busy, shutting down or cannot be reached. Try again, after `retry_after` seconds if given."""


class Unavailable(TryAgain):
    """The server cannot be reached, or is shutting down."""


class DeadlineExceeded(SequelaError):
    """The timeout was too short even for a partial answer. Allow more time."""


class TimeSpentWaiting(TryAgain, DeadlineExceeded):
    """The time was up while the request waited for other requests. Try again later, or allow more time."""


class TlsError(SequelaError):
    """The connection failed because client and server do not agree about TLS. Subclasses say who has to act."""


class CertificateNotTrusted(TlsError, CallerError):
    """The server's certificate is from an authority that this client does not trust. Name its authority with `ca`."""


class CertificateExpired(TlsError, OperatorError):
    """The server's certificate has expired, or is not valid yet."""


class HostNameMismatch(TlsError, CallerError):
    """The server's certificate is for another host than the one that was called."""


class ClientCertificateRequired(TlsError, CallerError):
    """The server requires a certificate of the client, and none was given."""


class ClientCertificateRefused(TlsError, CallerError):
    """The server refuses the certificate of the client."""


class TlsRequired(TlsError, CallerError):
    """The server uses TLS, and it was called in plain text."""


class TlsNotOffered(TlsError, CallerError):
    """The server uses plain text, and it was called with TLS."""


class TlsHandshakeFailed(TlsError, CallerError):
    """The TLS handshake failed for another reason, which the message gives."""


class AuthenticationError(CallerError):
    """The server does not know who calls: it requires a token or a certificate that it accepts."""


class CredentialsMissing(AuthenticationError):
    """The server requires authentication, and it was sent neither a token nor a certificate."""


class TokenRefused(AuthenticationError):
    """The server does not know the token."""


class TokenExpired(AuthenticationError):
    """The token has expired."""


class IdentityUnknown(AuthenticationError):
    """The server trusts the client's certificate, but its operator has given no roles to the names in it."""


class CredentialsRevoked(AuthenticationError):
    """The client, its token or its certificate was revoked."""


class PermissionDenied(OperatorError):
    """The server knows who calls, and its operator has not permitted the call. The message says which role it needs."""
