"""The sessions of people who have logged in. They live in memory, and so do their tokens."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from sequela_client.client import Sequela
from sequela_client.errors import AuthenticationError, PermissionDenied, SequelaError, TryAgain

from sequela_console.http.errors import ApiError
from sequela_console.sessions.identity import Identity
from sequela_console.sessions.visitor import GRACE_SECONDS, Visitor

IDLE_SECONDS = 8 * 3600.0
LONGEST_SECONDS = 12 * 3600.0
CHECK_SECONDS = 60.0
# A service that does not answer is not asked again for each request.
RETRY_SECONDS = 5.0
MAX_SESSIONS = 1000
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in.

    Args:
        visitor: the person.
        started: when the session began, on the monotonic clock.
        used: when it was used last.
        checked: when the service last confirmed the token.
        asked: when the service was last asked, and did not answer.
    """

    visitor: Visitor
    started: float
    used: float
    checked: float
    asked: float = -inf


@dataclass(slots=True)
class SessionStore:
    """Sessions by the digest of their keys, so that a copy of this memory opens none of them.

    Args:
        identify: asks the service whose token a client has; raises SequelaError.
        clock: a monotonic clock, in seconds.
    """

    identify: Callable[[Sequela], Identity]
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, service: Sequela) -> tuple[str, Visitor]:
        """Begins a session for the token of this client.

        Returns:
            The key of the session, and the visitor.

        Raises:
            SequelaError: the service refuses the token, or does not answer.
            ApiError: (403) the token does not identify a person.
        """
        found = self.identify(service)
        found.check_person()
        now = self.clock()
        visitor = Visitor(found.name, found.roles, service, verified=True)
        key = secrets.token_urlsafe(_KEY_BYTES)
        with self._lock:
            self._make_room(now)
            self._sessions[digest(key)] = Session(visitor, now, now, now)
        return key, visitor

    def visitor(self, key: str) -> Visitor | None:
        """Returns the visitor of a session, or None if there is none or it has ended.

        The service is asked again once a minute, so that a revoked token ends its session. While it does not answer,
        people whom it confirmed in the last ten minutes stay logged in, unconfirmed.

        Raises:
            SequelaError: the service has not answered for longer.
        """
        name, now = digest(key), self.clock()
        with self._lock:
            session = self._sessions.get(name)
            if session is None or self._has_ended(session, now):
                self._drop(name)
                return None
            self._sessions[name] = session = replace(session, used=now)
        return self._confirmed(name, session, now)

    def end(self, key: str) -> None:
        """Ends a session, if there is one."""
        with self._lock:
            self._drop(digest(key))

    def close(self) -> None:
        """Ends all sessions."""
        with self._lock:
            for name in list(self._sessions):
                self._drop(name)

    def _confirmed(self, name: str, session: Session, now: float) -> Visitor | None:
        if now - session.checked < CHECK_SECONDS:
            return session.visitor
        recent = now - session.checked < GRACE_SECONDS
        if recent and now - session.asked < RETRY_SECONDS:
            return replace(session.visitor, confirmed=False)
        try:
            found = self.identify(session.visitor.service)
        except (AuthenticationError, PermissionDenied):
            with self._lock:
                self._drop(name)
            return None
        except TryAgain:
            if not recent:
                raise
            with self._lock:
                if name in self._sessions:
                    self._sessions[name] = replace(self._sessions[name], asked=now)
            return replace(session.visitor, confirmed=False)
        visitor = replace(session.visitor, name=found.name, roles=found.roles)
        with self._lock:
            if name in self._sessions:
                self._sessions[name] = replace(self._sessions[name], visitor=visitor, checked=now)
        return visitor

    def _has_ended(self, session: Session, now: float) -> bool:
        return now - session.used > IDLE_SECONDS or now - session.started > LONGEST_SECONDS

    def _make_room(self, now: float) -> None:
        for name in [key for key, each in self._sessions.items() if self._has_ended(each, now)]:
            self._drop(name)
        if len(self._sessions) >= MAX_SESSIONS:
            self._drop(min(self._sessions, key=lambda each: self._sessions[each].used))

    def _drop(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            session.visitor.service.close()


def refused(error: SequelaError) -> ApiError:
    """Returns the error (401) for a token that the service refuses."""
    return ApiError(401, error.reason or "TOKEN_REFUSED", str(error), "token")


def digest(key: str) -> str:
    """Returns the name under which a key or a token is kept."""
    return hashlib.sha256(key.encode()).hexdigest()
