"""The errors of a call to an endpoint, and when to retry it.

Text from an endpoint is shortened to one printable line.
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
"""When a caller should retry, in seconds, if the endpoint does not say."""
FIRST_BACKOFF_SECONDS = 0.05
"""The longest wait after the first failure of a call, in seconds. It doubles with each further failure."""
MAX_WAIT_SECONDS = 1e6
"""The longest timeout, in seconds. Longer ones are replaced by no timeout, because libraries reject them."""
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
            "its certificate is from an authority that is not trusted; set `ca` in endpoint.toml to that "
            "authority's file",
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
    """A call did not reach an endpoint, its answer was lost, or the endpoint is temporarily unavailable.

    The same call may be sent again.

    Attributes:
        error: The error for the caller if retrying does not help either.
    """

    def __init__(self, error: SequelaError) -> None:
        super().__init__(error.message)
        self.error = error


def backoff_seconds(failures: int) -> float:
    """Returns how many seconds to wait before retrying a call, after one or more failures.

    Half of it is random, so that callers whose calls failed together do not retry together.
    """
    longest = FIRST_BACKOFF_SECONDS * math.ldexp(1.0, failures - 1)
    return longest * (0.5 + random.random() / 2)  # noqa: S311  # nothing secret


def one_line(text: str) -> str:
    """Shortens text from an endpoint to one printable line of at most 200 characters."""
    # Look at more than one line, because the first ones may be blank.
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * MAX_LINE_CHARACTERS]).split())
    return line if len(line) <= MAX_LINE_CHARACTERS else line[: MAX_LINE_CHARACTERS - 1] + "…"


def unreachable_error(uri: EndpointUri, words: str, retry_after: float = RETRY_SECONDS) -> RetryableError:
    """Returns the error if an endpoint was not reached, closed the connection or is temporarily unavailable."""
    # gRPC's text contains the resolved address of the host, which callers must not see.
    known = _connection_problem(uri, words)
    text = f"{uri} is not available: {known or one_line(_ADDRESS.sub('its address', words))}"
    return RetryableError(Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=retry_after))


def _connection_problem(uri: EndpointUri, words: str) -> str:
    """Returns what a library's error text means and what to do about it, or "" if the text is not known."""
    found = next((meaning for pattern, meaning in _CONNECTION_PROBLEMS if pattern.search(words)), "")
    if not found and not uri.secure and _CLOSED_EARLY.search(words):
        return f"it closes the connection without an answer; if it speaks TLS, use the scheme {uri.scheme}s"
    return found


def overload_error(uri: EndpointUri, words: str, retry_after: float = RETRY_SECONDS) -> Overloaded:
    """Returns the error if an endpoint reports that it is overloaded."""
    text = f"{uri} is overloaded: {one_line(words)}"
    return Overloaded("ENDPOINT_OVERLOADED", text, retry_after=retry_after)


def refusal(uri: EndpointUri, words: str) -> DoesNotFit:
    """Returns the error if an endpoint refuses a call or fails on it."""
    return DoesNotFit("ENDPOINT_REFUSED", f"{uri} refused the call: {one_line(words)}")


def invalid_answer_error(uri: EndpointUri, detail: str) -> DoesNotFit:
    """Returns the error if an endpoint's answer is not valid. `detail` may contain text from the endpoint."""
    return DoesNotFit("ENDPOINT_ANSWER_INVALID", f"the answer of {uri} is not valid: {one_line(detail)}")


def unusable_error(uri: EndpointUri, detail: str) -> DoesNotFit:
    """Returns the error if an endpoint cannot be called, because of credentials or of a call that is too large."""
    return DoesNotFit("ENDPOINT_REFUSED", f"{uri} cannot be called: {detail}")


def seconds_left(until: float) -> float | None:
    """Returns the seconds left until `until` (monotonic clock), or None for no limit.

    Raises DeadlinePassed after it.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise DeadlinePassed
    return None if left > MAX_WAIT_SECONDS else left
