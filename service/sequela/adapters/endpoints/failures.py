"""What goes wrong with a call to an endpoint, and when to send it again.

An endpoint's own words are cut to one printable line.
"""

from __future__ import annotations

import math
import random
import re
import time

from sequela.adapters.endpoints.uri import EndpointUri
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, Overloaded, SequelaError, Unavailable

MAX_LINE_CHARACTERS = 200
RETRY_SECONDS = 1.0
"""When a caller may retry, where the endpoint does not say."""
FIRST_BACKOFF_SECONDS = 0.05
"""The longest wait after the first failure of a call; it doubles with each further one."""
MAX_WAIT_SECONDS = 1e6
"""Libraries refuse timeouts that are much longer; they get none instead."""
_ADDRESS = re.compile(r"ipv[46]:[^\s;]+?(?=:?(\s|;|$))")
_CLOSED_EARLY = re.compile(
    r"(failed to connect|backends failing).*Socket closed|disconnected without sending", re.DOTALL
)
_CONNECTION_PROBLEMS = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), meaning)
    for pattern, meaning in (
        (r"certificate has expired", "its certificate has expired"),
        (
            r"Hostname Verification|not in peer certificate|hostname mismatch|IP address mismatch",
            "its certificate is for another host; use a host name that is in its certificate",
        ),
        (
            r"CERTIFICATE_VERIFY_FAILED",
            "its certificate is from an authority that is not trusted; set `ca` in endpoint.toml to a file with it",
        ),
        (
            r"WRONG_VERSION_NUMBER",
            "it does not speak TLS; use the scheme grpc or http, or another port",
        ),
        (
            r"http1\.x server|Expected SETTINGS frame",
            "it speaks HTTP/1, not gRPC; use the scheme http or https, or another port",
        ),
    )
]


class RetryableError(Exception):
    """A call did not reach an endpoint, its answer got lost, or the endpoint says that it is unavailable for now.

    The same call may be sent again.

    Attributes:
        error: What the caller is told where sending it again does not help either.
    """

    def __init__(self, error: SequelaError) -> None:
        super().__init__(error.message)
        self.error = error


def backoff_seconds(failures: int) -> float:
    """How long to wait before a call is sent again, after so many failures, 1 or more.

    Half of it is random, so that callers who failed together do not come back together. Results do not depend on it.
    """
    longest = FIRST_BACKOFF_SECONDS * math.ldexp(1.0, failures - 1)
    return longest * (0.5 + random.random() / 2)  # noqa: S311  # nothing secret


def one_line(text: str) -> str:
    """An endpoint's words as one printable line of at most 200 characters."""
    # Reads more than a line: the beginning may be blank.
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * MAX_LINE_CHARACTERS]).split())
    return line if len(line) <= MAX_LINE_CHARACTERS else line[: MAX_LINE_CHARACTERS - 1] + "…"


def unreachable(uri: EndpointUri, words: str) -> RetryableError:
    """It was not reached, or closed the connection, or says that it is unavailable."""
    # gRPC's words hold the address that the host's name leads to, which callers must not learn.
    known = _connection_problem(uri, words)
    text = f"{uri} is not available: {known or one_line(_ADDRESS.sub('its address', words))}"
    return RetryableError(Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=RETRY_SECONDS))


def _connection_problem(uri: EndpointUri, words: str) -> str:
    """What a library's words about a connection mean, and what to do about it; empty where they are not known."""
    found = next((meaning for pattern, meaning in _CONNECTION_PROBLEMS if pattern.search(words)), "")
    if not found and not uri.secure and _CLOSED_EARLY.search(words):
        return f"it closes the connection without an answer; if it speaks TLS, use the scheme {uri.scheme}s"
    return found


def overloaded(uri: EndpointUri, words: str, retry_after: float = RETRY_SECONDS) -> Overloaded:
    """It says that it is overloaded."""
    text = f"{uri} is overloaded: {one_line(words)}"
    return Overloaded("ENDPOINT_OVERLOADED", text, retry_after=retry_after)


def refused(uri: EndpointUri, words: str) -> DoesNotFit:
    """It refuses the call, or fails on it."""
    return DoesNotFit("ENDPOINT_REFUSED", f"{uri} refused the call: {one_line(words)}")


def invalid_answer(uri: EndpointUri, detail: str) -> DoesNotFit:
    """Its answer is not valid. `detail` may hold words of the endpoint."""
    return DoesNotFit("ENDPOINT_ANSWER_INVALID", f"the answer of {uri} is not valid: {one_line(detail)}")


def unusable(uri: EndpointUri, detail: str) -> DoesNotFit:
    """It cannot be called: wrong credentials, or a call that is too large. `detail` is our own."""
    return DoesNotFit("ENDPOINT_REFUSED", f"{uri} cannot be called: {detail}")


def seconds_left(until: float) -> float | None:
    """Seconds until `until` on the monotonic clock; None where that is never. Raises DeadlinePassed after it."""
    left = until - time.monotonic()
    if left <= 0:
        raise DeadlinePassed
    return None if left > MAX_WAIT_SECONDS else left
