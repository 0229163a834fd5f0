"""Request ids: the caller's own if it is suitable for logs, or else a new one."""

from __future__ import annotations

import re
import uuid

REQUEST_ID_KEY = "x-request-id"
"""The header, or the key in gRPC's metadata, that holds the id."""

# Ids go into logs and headers, so characters that could break these are not accepted.
_ALLOWED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def request_id_of(given: str) -> str:
    """Returns the id of a request. `given` is the value of the caller's header, or empty if there is none."""
    return given if _ALLOWED.fullmatch(given) else uuid.uuid4().hex
