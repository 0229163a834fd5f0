"""Reads lists and details of explanations from the service into the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import inf

from sequela_client.client import Sequela
from sequela_client.errors import NotFound, SequelaError, TryAgain
from sequela_client.resources import ExplanationSummary

from sequela_console.alert_index.loss import LossGuard
from sequela_console.alert_index.models import KnownModels
from sequela_console.alert_index.records import PREFIX, details_of, row_of_summary
from sequela_console.state.alerts import (
    AlertDetails,
    UndetailedAlert,
    add_alerts,
    add_details,
    known_ids,
    undetailed_alerts,
)
from sequela_console.state.database import StateDatabase
from sequela_console.state.removal import forget_alerts, forget_orphans

PAGE_SIZE = 1000
"""The most that the service lists at once."""
OVERLAP = timedelta(minutes=10)
"""How far back, in time, new explanations are listed: the clocks of the service's replicas may differ."""
WORKERS = 4
BATCH = 100
"""How many explanations are read between two writes."""
RETRY_SECONDS = 300.0
"""After this time, an explanation that could not be read is tried again."""
REFERENCE_ALERTS = 500
"""How many alerts of a model keep the values of their events, for comparisons."""


class IndexReader:
    """Reads what is missing in the index.

    Args:
        service: the client of the service with the console's own credentials.
        state: the database with the index.
        models: the descriptions of models.
    """

    def __init__(self, service: Sequela, state: StateDatabase, models: KnownModels) -> None:
        self._service = service
        self._state = state
        self._models = models
        self.loss = LossGuard()
        self._pool = ThreadPoolExecutor(WORKERS, "console-details")
        self._closed = threading.Event()
        self._failed: dict[str, float] = {}

    def close(self) -> None:
        """Lets running reads end, and starts no new ones."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def read_all(self) -> None:
        """Lists everything: adds what is new, and removes what the service no longer has."""
        before = known_ids(self._state)
        gone = set(before)
        for page in _pages(self._service.list_explanations(page_size=PAGE_SIZE)):
            gone -= {each.name.removeprefix(PREFIX) for each in page}
            self._add(page, before)
            if self._closed.is_set():
                return
        if removed := self.loss.removable(before, gone):
            forget_alerts(self._state, removed)
        forget_orphans(self._state)

    def read_recent(self) -> None:
        """Adds explanations that are newer than the newest known one, or a little older."""
        newest = self._state.read.execute("SELECT MAX(created) FROM alert").fetchone()[0]
        start = None if newest is None else datetime.fromtimestamp(newest, UTC) - OVERLAP
        for page in _pages(self._service.list_explanations(start=start, page_size=PAGE_SIZE)):
            self._add(page, known_ids(self._state))

    def read_details(self) -> bool:
        """Reads some explanations that have only been listed, the newest first. Returns whether there were any."""
        alerts = self._due(undetailed_alerts(self._state, BATCH + len(self._failed)))[:BATCH]
        if not alerts or self._closed.is_set():
            return False
        oldest = {each: self._oldest_reference(each) for each in {alert.model_digest for alert in alerts}}
        needed = [each.created > oldest[each.model_digest] for each in alerts]
        found = [each for each in self._pool.map(self._details, alerts, needed) if each is not None]
        add_details(self._state, found)
        for digest in {each.row.model_digest for each in found if each.cells is not None}:
            self._trim(digest)
        return True

    def _add(self, page: list[ExplanationSummary], known: set[str]) -> None:
        new = [each for each in page if each.targets and each.name.removeprefix(PREFIX) not in known]
        add_alerts(self._state, map(row_of_summary, new))

    def _due(self, alerts: Iterable[UndetailedAlert]) -> list[UndetailedAlert]:
        now = time.monotonic()
        return [each for each in alerts if self._failed.get(each.id, 0.0) <= now]

    def _oldest_reference(self, digest: str) -> float:
        """Returns the time of the oldest alert whose values are kept for comparison, if there are enough of them."""
        query = "SELECT COUNT(*), MIN(created) FROM reference_values WHERE model_digest = ?"
        count, oldest = self._state.read.execute(query, (digest,)).fetchone()
        return float(oldest) if count >= REFERENCE_ALERTS else -inf

    def _details(self, alert: UndetailedAlert, sequence: bool) -> AlertDetails | None:
        """Reads one explanation. Raises SequelaError if the service cannot be reached."""
        id = alert.id
        try:
            explanation = self._service.get_explanation(PREFIX + id, sequence=sequence)
        except NotFound:
            # The next complete list decides whether it is removed.
            self._failed[id] = time.monotonic() + RETRY_SECONDS
            return None
        except TryAgain:
            raise
        except SequelaError:
            self._failed[id] = time.monotonic() + RETRY_SECONDS
            return None
        self._failed.pop(id, None)
        return details_of(explanation, self._models.model(explanation.model, explanation.model_digest))

    def _trim(self, digest: str) -> None:
        """Keeps the values of the latest alerts of a model only."""
        with self._state.write() as database:
            database.execute(
                "DELETE FROM reference_values WHERE model_digest = ?1 AND alert NOT IN (SELECT alert FROM "
                "reference_values WHERE model_digest = ?1 ORDER BY created DESC LIMIT ?2)",
                (digest, REFERENCE_ALERTS),
            )


def _pages(summaries: Iterator[ExplanationSummary]) -> Iterator[list[ExplanationSummary]]:
    while page := list(islice(summaries, PAGE_SIZE)):
        yield page
