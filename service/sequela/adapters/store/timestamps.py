"""Times as whole numbers, as backends store and compare them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """Returns the microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def milliseconds(time: datetime) -> int:
    """Returns the milliseconds since 1970, rounded up."""
    return -((_EPOCH - time) // timedelta(milliseconds=1))


def now() -> int:
    """Returns the present time in microseconds since 1970."""
    return microseconds(datetime.now(UTC))
