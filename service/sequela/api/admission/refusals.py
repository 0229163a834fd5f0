"""The errors of requests that are refused before their work begins."""

from __future__ import annotations

from sequela.errors import OutOfTime, Overloaded

QUEUE_FULL = "QUEUE_FULL"
DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
DEADLINE_SPENT_WAITING = "DEADLINE_SPENT_WAITING"
MIN_RETRY_SECONDS = 0.1


def queue_full(detail: str, retry_after: float) -> Overloaded:
    """Returns the error for a request for which there is no room. `detail` says what is full."""
    return Overloaded(QUEUE_FULL, f"{detail}; retry later", retry_after=max(retry_after, MIN_RETRY_SECONDS))


def too_short(left_seconds: float, least_seconds: float) -> OutOfTime:
    """Returns the error for a deadline that allows no answer, however idle the server is."""
    text = (
        f"the deadline leaves {1000 * max(left_seconds, 0.0):.0f} ms for the work, and even the roughest answer takes "
        f"about {1000 * least_seconds:.0f} ms; allow more time"
    )
    return OutOfTime(DEADLINE_TOO_SHORT, text)


def spent_waiting(detail: str, retry_after: float = MIN_RETRY_SECONDS) -> OutOfTime:
    """Returns the error for a deadline that passed because of other requests. `detail` says what it waited for."""
    text = f"the deadline passed while the request waited for {detail}; retry later, or allow more time"
    return OutOfTime(DEADLINE_SPENT_WAITING, text, retry_after=max(retry_after, MIN_RETRY_SECONDS))
