"""Delays the removal of most alerts at once, which is more often a mistake than intended."""

from __future__ import annotations

import logging
import time
from collections.abc import Set
from datetime import UTC, datetime, timedelta

FEWEST_KNOWN = 20
LARGEST_SHARE = 0.5
CONFIRMATION_SECONDS = 600.0
"""How long, in seconds, every complete list must lack the missing alerts before they are removed. By then a wrong
service will have been noticed.
"""

log = logging.getLogger(__name__)


class LossGuard:
    """Decides when alerts that the service no longer lists may be removed.

    If more than half of at least 20 known alerts are missing at once, the service may be another one, or have an empty
    store, so they are kept until complete lists have lacked the same ones for ten minutes.
    """

    def __init__(self) -> None:
        self.warning = ""
        """The message for people; empty if no removal is delayed."""
        self._missing: frozenset[str] = frozenset()
        self._since = 0.0
        self._known = 0

    def removable(self, known: Set[str], missing: Set[str]) -> Set[str]:
        """Returns the alerts to remove now.

        Args:
            known: all alerts of the index.
            missing: those of them that a complete list lacks.
        """
        if not self._missing and _is_large(len(missing), len(known)):
            self._begin(len(known), missing)
            return frozenset()
        # The wrong service adds alerts of its own, so the share is of those that were known when it began.
        self._missing &= missing
        if not _is_large(len(self._missing), self._known):
            self._end()
            return missing
        if time.monotonic() - self._since < CONFIRMATION_SECONDS:
            return frozenset()
        removed = self._missing
        self._end()
        return removed

    def _begin(self, known: int, all_missing: Set[str]) -> None:
        self._since, self._known, self._missing = time.monotonic(), known, frozenset(all_missing)
        missing = len(all_missing)
        end = datetime.now(UTC) + timedelta(seconds=CONFIRMATION_SECONDS)
        self.warning = (
            f"The service no longer lists {missing:,} of {known:,} alerts. They stay in the list until "
            f"{end:%H:%M} UTC, in case this is the wrong service or its store is missing; then they leave, and the "
            "texts of their notes are deleted."
        )
        log.warning("%s", self.warning)

    def _end(self) -> None:
        self.warning, self._missing, self._known = "", frozenset(), 0


def _is_large(missing: int, known: int) -> bool:
    return known >= FEWEST_KNOWN and missing > LARGEST_SHARE * known
