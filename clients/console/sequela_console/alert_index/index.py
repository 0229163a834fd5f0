"""The index of stored explanations, which a thread keeps in step with the service."""

from __future__ import annotations

from sequela_client.client import Sequela

from sequela_console.state.database import StateDatabase


class AlertIndex:
    """Reads what the service stores, in the background.

    Args:
        service: the client of the service with the console's own credentials.
        state: the database with the index.
    """

    def __init__(self, service: Sequela, state: StateDatabase) -> None:
        self._service = service
        self._state = state
