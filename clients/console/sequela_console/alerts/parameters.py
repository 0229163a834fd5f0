"""Reads parameters of addresses and fields of bodies, and refuses wrong ones by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from sequela_console.http.errors import ApiError, bad_request, not_found

MAX_TEXT = 256
"""The longest search, and the longest name: the service allows ids and labels of 256 characters."""
_ID = re.compile(r"(?!\.+$)[A-Za-z0-9_.-]{1,128}", re.ASCII)

Values = Mapping[str, Any]


def alert_id(path: Mapping[str, str]) -> str:
    """Returns the id in a path. Raises ApiError (404) for one that no alert can have."""
    id = path["id"]
    if not _ID.fullmatch(id):
        raise not_found("ALERT_NOT_FOUND", f"there is no alert {id[:80]!r}")
    return id


def text(values: Values, name: str, max_length: int = MAX_TEXT) -> str:
    """Returns a text; empty if it is not there."""
    value = values.get(name, "")
    if not isinstance(value, str) or len(value) > max_length or "\0" in value:
        raise invalid(name, f"must be a string of at most {max_length} characters")
    return value


def choice(values: Values, name: str, allowed: Sequence[str], default: str) -> str:
    """Returns one of the allowed words."""
    value = values.get(name) or default
    if value not in allowed:
        raise invalid(name, f"must be one of {', '.join(filter(None, allowed))}")
    return str(value)


def number(values: Values, name: str) -> float | None:
    """Returns a finite number of an address; None if it is not there."""
    value = values.get(name)
    if value is None or value == "":
        return None
    try:
        # A boolean of a body would pass as 0 or 1.
        found = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if not isfinite(found):
        raise invalid(name, "must be a finite number")
    return found


def integer(values: Values, name: str, low: int, high: int, default: int) -> int:
    """Returns a whole number within bounds."""
    found = number(values, name)
    if found is None:
        return default
    if found != int(found) or not low <= found <= high:
        raise invalid(name, f"must be a whole number from {low} to {high:,}")
    return int(found)


def flag(values: Values, name: str) -> bool | None:
    """Returns true or false; None if it is not there."""
    value = values.get(name)
    if value is None or value == "":
        return None
    known = {True: True, False: False, "true": True, "false": False}
    if isinstance(value, bool | str) and value in known:
        return known[value]
    raise invalid(name, "must be true or false")


def moment(values: Values, name: str) -> float | None:
    """Returns an ISO time as seconds since 1970; None if it is not there. Without a zone it is UTC."""
    value = text(values, name)
    if not value:
        return None
    try:
        # The plus of a zone becomes a space in addresses that do not encode it.
        found = datetime.fromisoformat(value.replace(" 0", "+0"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise invalid(name, "must be a time such as 2026-11-26T17:03:00Z") from None


def objects(values: Values, name: str, most: int) -> list[Mapping[str, Any]]:
    """Returns a list of objects; empty if it is not there."""
    found = values.get(name, [])
    if not isinstance(found, list) or len(found) > most or not all(isinstance(each, dict) for each in found):
        raise invalid(name, f"must be a list of at most {most} objects")
    return found


def invalid(name: str, message: str) -> ApiError:
    """Returns the error for a wrong parameter."""
    return bad_request("PARAMETER_INVALID", f"{name}: {message}", name)
