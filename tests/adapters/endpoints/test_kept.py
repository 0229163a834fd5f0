"""One connection for all calls: kept while nothing has changed, replaced once something has, closed for good."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from sequela.adapters.endpoints.kept import Kept
from transports import PATIENCE


class Connection:
    """Remembers that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class Way:
    """Equal where the address is."""

    address: str

    def open(self) -> Connection:
        return Connection()


@dataclass
class Finder:
    """Finds the way to an address that a test sets, once it may."""

    address: str = "a"
    found: int = 0
    asked: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def __call__(self, timeout: float | None) -> Way:
        self.asked.set()
        assert self.free.wait(PATIENCE)
        self.found += 1
        return Way(self.address)


@pytest.fixture
def finder() -> Finder:
    finder = Finder()
    finder.free.set()
    return finder


def test_kept_while_nobody_doubts(finder: Finder) -> None:
    """The way is found when first needed, and not again."""
    kept = Kept(finder)
    assert finder.found == 0
    assert kept.current(None) is kept.current(1.0)
    assert finder.found == 1


def test_doubted(finder: Finder) -> None:
    """The way is found again; the connection stays where it is the same, and is closed and replaced where not."""
    kept = Kept(finder)
    first = kept.current(None)
    kept.doubt()
    assert kept.current(None) is first
    assert (finder.found, first.closed) == (2, False)
    finder.address = "b"
    assert kept.current(None) is first
    kept.doubt()
    second = kept.current(None)
    assert second is not first
    assert (first.closed, second.closed) == (True, False)


def test_closed(finder: Finder) -> None:
    """For good."""
    kept = Kept(finder)
    connection = kept.current(None)
    kept.close()
    assert connection.closed
    with pytest.raises(ConnectionError):
        kept.current(None)


def test_while_another_finds_the_way() -> None:
    """A caller waits no longer than it may for what another one is finding."""
    finder = Finder()
    kept = Kept(finder)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(kept.current, None)
        assert finder.asked.wait(PATIENCE)
        with pytest.raises(TimeoutError):
            kept.current(0.01)
        finder.free.set()
        assert other.result(PATIENCE) is kept.current(None)
