"""The index of stored explanations, which a thread keeps in step with the service."""

from __future__ import annotations

from collections.abc import Mapping

from sequela_client.client import Sequela

from sequela_console.state.database import StateDatabase


class AlertIndex:
    """Reads what the service stores, in the background.

    Args:
        service: the client of the service with the console's own credentials.
        state: the database with the index.
        thresholds: the score from which a prediction is an alert, by model; "" for all others.
    """

    def __init__(self, service: Sequela, state: StateDatabase, thresholds: Mapping[str, float]) -> None:
        self._service = service
        self._state = state
        self._thresholds = thresholds

    def start(self) -> None:
        """Starts the thread."""

    def close(self) -> None:
        """Stops the thread."""

    def state(self) -> dict[str, object]:
        """Returns how far the index is, see `IndexState` in types.ts."""
        return {"alerts": 0, "pending": 0, "complete": False, "updated": None}
