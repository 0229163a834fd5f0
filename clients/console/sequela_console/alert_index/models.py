"""The descriptions of models, which hardly ever change."""

from __future__ import annotations

import threading
import time

from sequela_client.client import Sequela
from sequela_client.errors import CallerError
from sequela_client.resources import Model

KEPT_SECONDS = 60.0
"""How long, in seconds, a description is used. Then it is requested again, since the model may have changed."""


class KnownModels:
    """Asks a service to describe models, and remembers its answers for a while.

    Args:
        service: the client of the service.
    """

    def __init__(self, service: Sequela) -> None:
        self._service = service
        self._known: dict[str, tuple[float, Model | None]] = {}
        self._lock = threading.Lock()

    def model(self, name: str, digest: str) -> Model | None:
        """Returns the description of a model; None if the service does not have exactly this one any more."""
        with self._lock:
            end, found = self._known.get(name, (0.0, None))
        if end < time.monotonic():
            found = described_model(self._service, name)
            with self._lock:
                self._known[name] = (time.monotonic() + KEPT_SECONDS, found)
        return found if found is not None and found.digest == digest else None


def described_model(service: Sequela, name: str) -> Model | None:
    """Returns the description of a model; None if the service has none of this name."""
    if not name:
        return None
    try:
        return service.get_model(name)
    except CallerError:
        return None
