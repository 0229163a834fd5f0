"""How explanations are listed: the sets they are in, the order of the entries, and the filter of a list.

explanations           all explanations, newest first
explanations:{digest}  those with one caller's id, newest first; the digest is that of the id
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from sequela.explain.explanation import Explanation
from sequela.explain.ports import Filter
from sequela.names import names_model

_ALL = "explanations"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTDOWN_FROM = 1 << 63
"""More microseconds than any date has since 1970, so that the difference is positive and has 16 digits."""


def set_name(caller_id: str) -> str:
    """Returns the set for a caller's id, which may contain any characters. Without an id: the set of all."""
    return f"{_ALL}:{hashlib.sha256(caller_id.encode()).hexdigest()[:32]}" if caller_id else _ALL


def entry(create_time: datetime, name: str) -> str:
    """Returns the entry of an explanation. Entries sort the newest first, because the microseconds count down."""
    return f"{_countdown(create_time)}|{name}"


def name_of(listed: str) -> str:
    """Returns the explanation's name that an entry was made from."""
    return listed.partition("|")[2]


def position_after(create_time: datetime) -> str:
    """Returns the position after every entry of that microsecond, and before all older ones."""
    return f"{_countdown(create_time)}~"  # '~' sorts after '|'


def scope(wanted: Filter) -> str:
    """Returns what identifies a list in page tokens, whatever the order of the labels."""
    labels = sorted((wanted.labels or {}).items())
    return repr((_ALL, wanted.caller_id, wanted.model, labels, wanted.start, wanted.end))


def matches(wanted: Filter, explanation: Explanation) -> bool:
    """Returns whether an explanation passes a filter. Times are not checked: the position in the set does that."""
    labels = (wanted.labels or {}).items()
    return (
        wanted.caller_id in ("", explanation.caller_id)
        and (not wanted.model or names_model(wanted.model, explanation.model))
        and all(explanation.labels.get(key) == value for key, value in labels)
    )


def _countdown(create_time: datetime) -> str:
    # Hexadecimal numbers of equal length sort as text in the order of their values.
    return f"{_COUNTDOWN_FROM - (create_time - _EPOCH) // timedelta(microseconds=1):016x}"
