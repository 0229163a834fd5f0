"""Decides whether a request is served: who sent it, and what its roles permit. gRPC and HTTP use the same object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sequela.access.authenticator import Authenticator, NoAuthentication
from sequela.access.caller import STRANGER, Caller
from sequela.access.credentials import Credentials
from sequela.api.access_record import AccessRecord
from sequela.api.permissions import GRANTS, Permissions


@dataclass(frozen=True, slots=True)
class Access:
    """One line of the audit log: who, which method, which name, what outcome. It holds nothing of the payload.

    Attributes:
        caller: The caller's name; empty if it has not shown who it is.
        method: The method, as in the table of permissions.
        resource: The name of the model, background or explanation; empty if there is none.
        outcome: The gRPC code, or the HTTP status.
        reason: The reason of the error; empty if there is none.
        request_id: The id of the request, which is in the log as well.
    """

    caller: str
    method: str
    resource: str
    outcome: str
    reason: str
    request_id: str


Audit = Callable[[Access], None]


def no_audit(_: Access) -> None:
    """Writes nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class AccessControl:
    """Checks callers before their messages are read."""

    authenticator: Authenticator
    permissions: Permissions
    audit: Audit = no_audit

    def check_early(self, method: str, credentials: Credentials) -> None:
        """Raises as `admit` does, if that is certain before the certificate of the connection is known."""
        if credentials.token or not self.authenticator.accepts_certificates:
            self.admit(method, credentials)

    def admit(self, method: str, credentials: Credentials) -> Caller:
        """Returns the caller of a method.

        Raises:
            NotAuthenticated: The caller has not shown who it is, and the method is not open to everybody.
            NotPermitted: Its roles do not permit the method.
        """
        if self.authenticator.enabled and self.permissions.is_open(method):
            return STRANGER
        caller = self.authenticator.identify(credentials)
        if self.authenticator.enabled:
            self.permissions.check(method, caller)
        return caller

    def report(self, record: AccessRecord, method: str, outcome: str, reason: str, request_id: str) -> None:
        """Writes a request to the audit log, unless its method is open to everybody."""
        if not self.permissions.is_open(method):
            self.audit(Access(record.caller.name, method, record.resource, outcome, reason, request_id))


NO_CONTROL = AccessControl(NoAuthentication(), Permissions(GRANTS))
"""Serves everybody."""
