"""What goes wrong at an endpoint, as `Transport` has it. An endpoint's own words are cut to a line."""

from __future__ import annotations

import re
import time

from sequela.adapters.endpoints.uri import EndpointUri
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, Overloaded, Unavailable
from sequela.explain.ports import TryAgain

LONGEST_LINE = 200
RETRY_SECONDS = 1.0
"""When a caller may come back, where the endpoint does not say."""
LONGEST_WAIT_SECONDS = 1e6
_ADDRESS = re.compile(r"ipv[46]:[^\s;]+?(?=:?(\s|;|$))")
_HUNG_UP = re.compile(
    r"(failed to connect|backends failing).*Socket closed|disconnected without sending", re.DOTALL
)
_CONNECTING = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), told)
    for pattern, told in (
        (r"certificate has expired", "its certificate has expired"),
        (
            r"Hostname Verification|not in peer certificate|hostname mismatch|IP address mismatch",
            "its certificate is for another host; name it by a host that is in its certificate",
        ),
        (
            r"CERTIFICATE_VERIFY_FAILED",
            "its certificate is from an authority that is not trusted; name that one's file as `ca` in endpoint.toml",
        ),
        (
            r"WRONG_VERSION_NUMBER",
            "it does not speak TLS; the scheme is grpc or http then, or the port is another",
        ),
        (
            r"http1\.x server|Expected SETTINGS frame",
            "it speaks HTTP/1, not gRPC; the scheme is http or https then, or the port is another",
        ),
    )
]


def one_line(text: str) -> str:
    """Foreign words as one printable line of 200 characters at most."""
    # More than enough is looked at: an answer may be all blanks.
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 10 * LONGEST_LINE]).split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def unreachable(uri: EndpointUri, words: str) -> TryAgain:
    """It was not reached, or hung up, or says that it is unavailable."""
    # Where its name leads is not for callers to know; gRPC would tell.
    known = _connecting(uri, words)
    text = f"{uri} is not available: {known or one_line(_ADDRESS.sub('its address', words))}"
    return TryAgain(Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=RETRY_SECONDS))


def _connecting(uri: EndpointUri, words: str) -> str:
    """What the libraries' words about a connection mean, and what to do; empty where they say nothing of the kind."""
    found = next((told for pattern, told in _CONNECTING if pattern.search(words)), "")
    if not found and not uri.secure and _HUNG_UP.search(words):
        return f"it hangs up without an answer; if it speaks TLS, its scheme is {uri.scheme}s"
    return found


def overloaded(uri: EndpointUri, words: str, retry_after: float = RETRY_SECONDS) -> Overloaded:
    """It says that it has too much to do."""
    text = f"{uri} has too much to do: {one_line(words)}"
    return Overloaded("ENDPOINT_OVERLOADED", text, retry_after=retry_after)


def refused(uri: EndpointUri, words: str) -> DoesNotFit:
    """It says no, or fails."""
    return DoesNotFit("ENDPOINT_REFUSED", f"{uri} refuses: {one_line(words)}")


def invalid_answer(uri: EndpointUri, what: str) -> DoesNotFit:
    """What it answers is no answer. `what` may hold words of its own."""
    return DoesNotFit("ENDPOINT_ANSWER_INVALID", f"{uri} does not answer as it should: {one_line(what)}")


def unusable(uri: EndpointUri, what: str) -> DoesNotFit:
    """It cannot be asked: credentials, or more than one call may hold. `what` is our own."""
    return DoesNotFit("ENDPOINT_REFUSED", f"{uri} cannot be asked: {what}")


def seconds_left(until: float) -> float | None:
    """Until `until` on the monotonic clock; None where that is as good as never. Raises TimeUp past it."""
    left = until - time.monotonic()
    if left <= 0:
        raise DeadlinePassed
    return None if left > LONGEST_WAIT_SECONDS else left
