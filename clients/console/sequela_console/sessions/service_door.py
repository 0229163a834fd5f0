"""Whether the service can be reached, and whether it authenticates people."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from sequela_client.client import Sequela
from sequela_client.credentials import Credentials
from sequela_client.errors import AuthenticationError, SequelaError, TryAgain

from sequela_console.http.errors import ApiError
from sequela_console.sessions.identity import Identity
from sequela_console.sessions.visitor import GRACE_SECONDS

PROBE_SECONDS = 5.0
TIMEOUT_SECONDS = 30.0
_EVERY_ROLE = frozenset({"read", "explain", "admin"})


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The state of the service.

    Args:
        state: up, down, or refused, if it will not talk to the console.
        address: its address.
        message: what is wrong and what to do; empty if it is up.
        login_needed: whether people need a token. While the service is down: no, if it needed none shortly before.
    """

    state: str
    address: str
    message: str
    login_needed: bool


@dataclass(slots=True)
class ServiceDoor:
    """The service as people reach it: with their own tokens, never with the console's own token or certificate.

    Args:
        address: the address of the service.
        own: the console's own credentials, of which people use the authorities only.
        identify: asks the service how it identifies a client.
        clock: a monotonic clock, in seconds.
    """

    address: str
    own: Credentials
    identify: Callable[[Sequela], Identity]
    clock: Callable[[], float] = time.monotonic
    _anonymous: Sequela = field(init=False)
    _state: ServiceState | None = None
    _probed: float = 0.0
    _open_at: float = -inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Opens the connection without credentials."""
        self._anonymous = Sequela(self.address, timeout=TIMEOUT_SECONDS, credentials=self._without_identity())

    def state(self) -> ServiceState:
        """Returns how the service is, as of the last five seconds."""
        with self._lock:
            now = self.clock()
            if self._state is None or now - self._probed > PROBE_SECONDS:
                self._state, self._probed = self._probe(now), now
            return self._state

    def client(self, token: str) -> Sequela:
        """Returns a client with a person's token.

        Raises:
            ApiError: (400) it cannot be a token.
            SequelaError: it would be sent in plain text over the network.
        """
        if not token.strip() or not token.isascii() or not token.isprintable():
            raise ApiError(400, "TOKEN_INVALID", "the token must be a line of ASCII characters", "token")
        credentials = replace(self._without_identity(), token=token.strip())
        return Sequela(self.address, timeout=TIMEOUT_SECONDS, credentials=credentials)

    def identity_of_nobody(self) -> tuple[Sequela, frozenset[str]]:
        """Returns the client without credentials, and the roles of those who use it."""
        return self._anonymous, _EVERY_ROLE

    def close(self) -> None:
        """Closes the connection."""
        self._anonymous.close()

    def _without_identity(self) -> Credentials:
        return Credentials(
            secure=self.own.secure or self.own.uses_tls,
            ca=self.own.ca,
            token_without_tls=self.own.token_without_tls,
        )

    def _probe(self, now: float) -> ServiceState:
        """Asks without credentials. No login is needed only if the answer says that the service serves everybody."""
        try:
            found = self.identify(self._anonymous)
        except AuthenticationError:
            self._open_at = -inf
            return ServiceState("up", self.address, "", login_needed=True)
        except TryAgain as error:
            closed = now - self._open_at >= GRACE_SECONDS
            return ServiceState("down", self.address, _down(self.address, error), login_needed=closed)
        except SequelaError as error:
            self._open_at = -inf
            return ServiceState("refused", self.address, str(error), login_needed=True)
        is_open = found.method == "none"
        self._open_at = now if is_open else -inf
        return ServiceState("up", self.address, "", login_needed=not is_open)


def _down(address: str, error: SequelaError) -> str:
    return f"the service at {address} does not answer ({error}); check that it runs, or start the console with --server"
