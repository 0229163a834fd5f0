"""The list at 100,000 alerts: every query uses an index, and how much the database computes is bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sequela_console.alerts.listing import alert_page
from sequela_console.context import Console
from sequela_console.state.database import StateDatabase

from benchmarks.alert_list import cases, console_of, fill, question

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ALERTS = 100_000
STEPS = 1000
MAX_STEPS = 8_000_000
"""Instructions of SQLite's machine: about 0.15 s. A list without its indexes needs many times as many."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    state = StateDatabase(tmp_path_factory.mktemp("large") / "console.db")
    fill(state, ALERTS)
    return console_of(state)


@contextmanager
def observed(database: sqlite3.Connection) -> Iterator[tuple[list[str], list[int]]]:
    """Collects the statements that a connection carries out, and counts the steps that they take, in thousands."""
    statements: list[str] = []
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    database.set_trace_callback(statements.append)
    database.set_progress_handler(count, STEPS)
    try:
        yield statements, steps
    finally:
        database.set_trace_callback(None)
        database.set_progress_handler(None, 0)


def test_every_case(console: Console) -> None:
    """No case reads a whole table without an index, or takes more than a bounded number of steps."""
    database = console.state.read
    for name, call in cases(console).items():
        with observed(database) as (statements, steps):
            call()
        assert steps[0] * STEPS < MAX_STEPS, (name, steps[0])
        assert statements
        for statement in statements:
            plan = [row["detail"] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
            whole = [
                each for each in plan if each.startswith("SCAN") and "INDEX" not in each and "ROW" not in each
            ]
            # What a subquery found is read as a whole, too.
            assert [each for each in whole if "alert" in each.split()] == [], (name, statement, plan)


def test_pages_at_scale(console: Console) -> None:
    """The first and a further page by score are those of a plain sort."""
    expected = [
        row[0] for row in sorted(console.state.read.execute("SELECT id, score FROM alert"), key=by_score)
    ]
    page = alert_page(console, question({"sort": "score", "limit": "100"}))
    assert [each.id for each in page.alerts] == expected[:100]
    assert page.total == ALERTS
    assert page.next is not None
    further = alert_page(console, question({"sort": "score", "limit": "100", "cursor": page.next}))
    assert [each.id for each in further.alerts] == expected[100:200]


def by_score(row: sqlite3.Row) -> tuple[float, tuple[int, ...]]:
    return -row[1], tuple(-ord(sign) for sign in row[0])


def test_an_index_is_needed(console: Console, tmp_path: Path) -> None:
    """Without the index of its order, a page takes more steps than is allowed here for all of it."""
    copy = StateDatabase(tmp_path / "console.db")
    console.state.read.backup(copy.read)
    copy.read.execute("DROP INDEX alert_score")
    with observed(copy.read) as (_, steps):
        alert_page(console_of(copy), question({"sort": "score"}))
    without = steps[0]
    with observed(console.state.read) as (_, steps):
        alert_page(console, question({"sort": "score"}))
    assert without > 3 * steps[0]
