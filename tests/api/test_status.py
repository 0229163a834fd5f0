"""Errors as they leave the server: long enough to hold a schema's entries, small enough for a header."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest
from sequela.adapters.store.ports import StoreFull
from sequela.api.errors import to_failure
from sequela.api.grpc.status import grpc_status, retry_pushback
from sequela.errors import InvalidInput, Overloaded, Unavailable, Violation

HEADERS = 8192


def test_a_schema_to_paste_is_not_cut() -> None:
    """A message of 1,600 characters arrives whole."""
    text = "x" * 1600
    assert to_failure(InvalidInput("SCHEMA_NEEDED", text)).message == text


@pytest.mark.parametrize("letter", ["x", "%", "é", "\u4e2d", "\U0001f600"])
@pytest.mark.parametrize("count", [1, 100])
def test_the_longest_errors_fit_into_headers(letter: str, count: int) -> None:
    """The message and, in base64, the details, together, whatever they are written in."""
    violations = [Violation("f" * 500, letter * 500)] * count
    failed = to_failure(InvalidInput("REASON", letter * 5000, violations=violations))
    status = grpc_status(failed)
    trailers = dict(status.trailing_metadata)
    details = b64encode(bytes(trailers["grpc-status-details-bin"]))
    assert len(quote(failed.message)) + len(details) < HEADERS
    assert failed.violations


def test_grpcs_own_retries_learn_how_long_to_wait() -> None:
    """In whole milliseconds, as gRPC has it; never, if nobody says that it helps; nothing where they would not retry,
    and where their own waits will do.
    """
    busy = Overloaded("QUEUE_FULL", "full", retry_after=1.2345)
    assert retry_pushback(to_failure(busy)) == (("grpc-retry-pushback-ms", "1235"),)
    assert retry_pushback(to_failure(StoreFull(1))) == (("grpc-retry-pushback-ms", "-1"),)
    assert retry_pushback(to_failure(InvalidInput("REASON", "wrong"))) == ()
    assert retry_pushback(to_failure(Unavailable("SHUTTING_DOWN", "stops"))) == ()
