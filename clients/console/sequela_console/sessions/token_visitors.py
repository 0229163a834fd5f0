"""The people behind the tokens that programs send with each request."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sequela_client.client import Sequela
from sequela_client.errors import AuthenticationError, PermissionDenied, SequelaError

from sequela_console.http.errors import ApiError
from sequela_console.sessions import session_store
from sequela_console.sessions.identity import Identity
from sequela_console.sessions.visitor import Visitor

MAX_VISITORS = 64


@dataclass(frozen=True, slots=True)
class KnownVisitor:
    """Somebody whose token the service has confirmed.

    Args:
        visitor: the person.
        checked: when the service confirmed the token last, on the monotonic clock.
    """

    visitor: Visitor
    checked: float


@dataclass(slots=True)
class TokenVisitors:
    """The most recent visitors, by the digest of their tokens, so that a program needs one connection only.

    Args:
        client: opens a client of the service with a token.
        identify: asks the service whose token a client has; raises SequelaError.
        clock: a monotonic clock, in seconds.
    """

    client: Callable[[str], Sequela]
    identify: Callable[[Sequela], Identity]
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, KnownVisitor] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def visitor(self, token: str) -> Visitor:
        """Returns the visitor with this token. The service is asked again once a minute.

        Raises:
            ApiError: (400, 401, 403) it is not a token, the service refuses it, or it does not identify a person.
            SequelaError: the service does not answer.
        """
        name, now = session_store.digest(token), self.clock()
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known.move_to_end(name)
        if known is not None and now - known.checked < session_store.CHECK_SECONDS:
            return known.visitor
        return self._confirmed(name, now, self.client(token) if known is None else known.visitor.service)

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            for name in list(self._known):
                self._drop(name)

    def _confirmed(self, name: str, now: float, service: Sequela) -> Visitor:
        try:
            found = self.identify(service)
            found.check_person()
        except (SequelaError, ApiError) as error:
            with self._lock:
                self._drop(name)
            service.close()
            if isinstance(error, AuthenticationError | PermissionDenied):
                raise session_store.refused(error) from None
            raise
        return self._remembered(
            name, KnownVisitor(Visitor(found.name, found.roles, service, verified=True), now)
        )

    def _remembered(self, name: str, new: KnownVisitor) -> Visitor:
        """Keeps a visitor. Of two requests that came at once with a new token, the first one's connection stays."""
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.visitor.service is not new.visitor.service:
                new.visitor.service.close()
                new = replace(new, visitor=replace(new.visitor, service=known.visitor.service))
            self._known[name] = new
            self._known.move_to_end(name)
            while len(self._known) > MAX_VISITORS:
                self._drop(next(iter(self._known)))
        return new.visitor

    def _drop(self, name: str) -> None:
        known = self._known.pop(name, None)
        if known is not None:
            known.visitor.service.close()
