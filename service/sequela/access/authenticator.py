"""The port of authentication: from credentials to a caller."""

from __future__ import annotations

from typing import Protocol

from sequela.access.caller import ANYBODY, Caller
from sequela.access.credentials import CallerCredentials


class Authenticator(Protocol):
    """Identifies callers. All calls come from the event loop, so they must not wait."""

    @property
    def enabled(self) -> bool:
        """Whether callers must show who they are."""

    def identify(self, credentials: CallerCredentials) -> Caller:
        """Returns the caller. Raises NotAuthenticated."""


class NoAuthentication:
    """Lets everybody do everything."""

    enabled = False

    def identify(self, _: CallerCredentials) -> Caller:
        """Returns `ANYBODY`."""
        return ANYBODY
