"""The client of Sequela: explanations of the scores of sequence models, from Python."""

from sequela_client.aio import AsyncSequela
from sequela_client.attributions import Attribution, PlayerKind, StopReason
from sequela_client.callers import Caller
from sequela_client.client import Sequela
from sequela_client.credentials import Credentials
from sequela_client.display import Display
from sequela_client.errors import (
    AuthenticationError,
    CallerError,
    CertificateExpired,
    CertificateNotTrusted,
    ClientCertificateRefused,
    ClientCertificateRequired,
    CredentialsMissing,
    CredentialsRevoked,
    DeadlineExceeded,
    HostNameMismatch,
    IdentityUnknown,
    ModelOrBackgroundError,
    NotFound,
    NotImplementedByServer,
    OperatorError,
    PermissionDenied,
    SequelaError,
    TimeSpentWaiting,
    TlsError,
    TlsHandshakeFailed,
    TlsNotOffered,
    TlsRequired,
    TokenExpired,
    TokenRefused,
    TryAgain,
    Unavailable,
    Violation,
)
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import ExplanationWarning, Reason, Verdict
from sequela_client.inputs import BackgroundValues, EventInfo, Sequence
from sequela_client.models import Endpoint
from sequela_client.resources import Background, ExplanationSummary, Model, Outcome, Scores
from sequela_client.retries import Retries

__all__ = [
    "AsyncSequela",
    "Attribution",
    "AuthenticationError",
    "Background",
    "BackgroundValues",
    "Caller",
    "CallerError",
    "CertificateExpired",
    "CertificateNotTrusted",
    "ClientCertificateRefused",
    "ClientCertificateRequired",
    "Credentials",
    "CredentialsMissing",
    "CredentialsRevoked",
    "DeadlineExceeded",
    "Display",
    "Endpoint",
    "EventInfo",
    "Explanation",
    "ExplanationSummary",
    "ExplanationWarning",
    "HostNameMismatch",
    "IdentityUnknown",
    "Model",
    "ModelOrBackgroundError",
    "NotFound",
    "NotImplementedByServer",
    "OperatorError",
    "Outcome",
    "PermissionDenied",
    "PlayerKind",
    "Reason",
    "Retries",
    "Scores",
    "Sequela",
    "SequelaError",
    "Sequence",
    "StopReason",
    "TimeSpentWaiting",
    "TlsError",
    "TlsHandshakeFailed",
    "TlsNotOffered",
    "TlsRequired",
    "TokenExpired",
    "TokenRefused",
    "TryAgain",
    "Unavailable",
    "Verdict",
    "Violation",
]
