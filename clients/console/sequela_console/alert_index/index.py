"""The index of stored explanations, which a thread keeps in step with the service."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sequela_client.client import Sequela
from sequela_client.errors import SequelaError
from sequela_client.explanation import Explanation
from sequela_client.resources import Model

from sequela_console.alert_index.models import KnownModels
from sequela_console.alert_index.nearest import NearestEffects
from sequela_console.alert_index.reader import IndexReader
from sequela_console.alert_index.records import details_of, row_of_explanation
from sequela_console.alert_index.reference import ReferenceValues
from sequela_console.state.alerts import add_alerts, add_details
from sequela_console.state.database import StateDatabase
from sequela_console.state.removal import forget_alerts

POLL_SECONDS = 5.0
FULL_LIST_SECONDS = 60.0
# Reading the complete list of a large store takes a while, and must not keep the service busy all the time.
FULL_LIST_SHARE = 0.1
MAX_BACKOFF_SECONDS = 30.0
_STOP_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexState:
    """The progress of the index; see `IndexState` in types.ts."""

    alerts: int
    pending: int
    complete: bool
    updated: datetime | None
    warning: str


class AlertIndex:
    """Reads what the service stores, in the background.

    Args:
        service: the client of the service with the console's own credentials.
        state: the database with the index.
        thresholds: the score from which a prediction is an alert, by model; "" for all others.
    """

    def __init__(self, service: Sequela, state: StateDatabase, thresholds: Mapping[str, float]) -> None:
        self.thresholds = thresholds
        self.reference = ReferenceValues(state)
        self.nearest = NearestEffects(state)
        self._database = state
        self._models = KnownModels(service)
        self._reader = IndexReader(service, state, self._models)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console-index", daemon=True)
        self._updated: datetime | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stops the thread. What has been read is kept, and the next start continues from there."""
        self._stop.set()
        self._reader.close()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def state(self) -> IndexState:
        """Returns the progress of the index."""
        read = self._database.read
        alerts = int(read.execute("SELECT COUNT(*) FROM alert").fetchone()[0])
        pending = int(read.execute("SELECT COUNT(*) FROM alert WHERE detailed = 0").fetchone()[0])
        complete = self._updated is not None and not pending
        return IndexState(alerts, pending, complete, self._updated, self._reader.loss.warning)

    def ensure(self, explanation: Explanation, model: Model | None) -> None:
        """Adds an explanation that somebody opened, if the index has not found it yet."""
        add_alerts(self._database, [row_of_explanation(explanation, model)])
        add_details(self._database, [details_of(explanation, model)])

    def forget(self, id: str) -> None:
        """Removes an explanation that the service no longer has.

        It is kept until the first complete list has been read, and while most explanations are missing.
        """
        if self._updated is not None and not self._reader.loss.warning:
            forget_alerts(self._database, [id])

    def refresh(self) -> None:
        """Reads everything that is new at once. Tests call this instead of waiting for the thread."""
        self._reader.read_all()
        self._updated = datetime.now(UTC)
        while self._reader.read_details():
            pass

    def _run(self) -> None:
        full_list_at, failures = 0.0, 0
        while not self._stop.is_set():
            try:
                full_list_at = self._round(full_list_at)
                failures, pause = 0, POLL_SECONDS
            except SequelaError as error:
                failures += 1
                pause = min(POLL_SECONDS * 2 ** (failures - 1), MAX_BACKOFF_SECONDS)
                log.debug("the index cannot be read: %s", error)
            except Exception:
                # Whatever one answer of the service looks like, the list must continue to work with what it has.
                failures, pause = failures + 1, MAX_BACKOFF_SECONDS
                log.exception("the index cannot be updated")
            self._stop.wait(pause)

    def _round(self, full_list_at: float) -> float:
        """Reads what is new. Returns when everything is listed next, in seconds of the monotonic clock."""
        start = time.monotonic()
        if start >= full_list_at:
            self._reader.read_all()
            spent = time.monotonic() - start
            full_list_at = time.monotonic() + max(FULL_LIST_SECONDS, spent / FULL_LIST_SHARE)
        else:
            self._reader.read_recent()
        self._updated = datetime.now(UTC)
        # New alerts must not wait until the details of a hundred thousand old ones have been read.
        while not self._stop.is_set() and time.monotonic() - start < POLL_SECONDS:
            if not self._reader.read_details():
                break
        return full_list_at
