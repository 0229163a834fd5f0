"""One connection for all calls: kept while nothing has changed, replaced once something has, closed for good."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from sequela.adapters.endpoints.reconnecting_connection import ReconnectingConnection
from waiting import PATIENCE


class Connection:
    """Remembers that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class Spec:
    """Equal where the address is."""

    address: str

    def open(self) -> Connection:
        return Connection()


@dataclass
class Finder:
    """Finds the spec for an address that a test sets, once it may."""

    address: str = "a"
    found: int = 0
    asked: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def __call__(self, timeout: float | None) -> Spec:
        self.asked.set()
        assert self.free.wait(PATIENCE)
        self.found += 1
        return Spec(self.address)


@pytest.fixture
def finder() -> Finder:
    finder = Finder()
    finder.free.set()
    return finder


def now(kept: ReconnectingConnection[Connection]) -> Connection:
    """What a call of this moment uses."""
    with kept.use(None) as connection:
        return connection


def test_kept_while_nobody_doubts(finder: Finder) -> None:
    """The spec is found when first needed, and not again."""
    kept = ReconnectingConnection(finder)
    assert finder.found == 0
    assert now(kept) is now(kept)
    assert finder.found == 1


def test_doubted(finder: Finder) -> None:
    """The spec is found again; the connection stays where it is the same, and is replaced and closed where not."""
    kept = ReconnectingConnection(finder)
    first = now(kept)
    kept.doubt()
    assert now(kept) is first
    assert (finder.found, first.closed) == (2, False)
    finder.address = "b"
    assert now(kept) is first
    kept.doubt()
    second = now(kept)
    assert second is not first
    assert (first.closed, second.closed) == (True, False)


def test_replaced_while_in_use(finder: Finder) -> None:
    """A call under way keeps its connection to its end, while later ones have the new one."""
    kept = ReconnectingConnection(finder)
    with kept.use(None) as first:
        finder.address = "b"
        kept.doubt()
        assert now(kept) is not first
        assert not first.closed
    assert first.closed


def test_silent(finder: Finder) -> None:
    """A connection over which nothing has come for long is replaced, though the spec is the same; one that answers
    is not.
    """
    kept = ReconnectingConnection(finder)
    first = now(kept)
    kept.note_answer()
    kept.note_no_answer(0.0)
    assert now(kept) is first
    other = ReconnectingConnection(finder)
    first = now(other)
    other.note_no_answer(0.0)
    assert now(other) is not first
    assert first.closed


def test_closed(finder: Finder) -> None:
    """For good."""
    kept = ReconnectingConnection(finder)
    connection = now(kept)
    kept.close()
    assert connection.closed
    with pytest.raises(ConnectionError):
        now(kept)


def test_while_another_finds_the_spec() -> None:
    """A caller waits no longer than it may for what another one is finding."""
    finder = Finder()
    kept = ReconnectingConnection(finder)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(now, kept)
        assert finder.asked.wait(PATIENCE)
        with pytest.raises(TimeoutError), kept.use(0.01):
            pass
        finder.free.set()
        assert other.result(PATIENCE) is now(kept)
