"""Times the console's list over a large index: pages, filters, counts, facets, neighbours and similar alerts.

    python -m benchmarks.alert_list [--alerts 100000]

The index is filled with made-up alerts, then the functions behind the routes are called as the server does. The table
has the median and the largest of 15 calls each, in milliseconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from sequela_client.client import Sequela
from sequela_console.alert_index.index import AlertIndex
from sequela_console.alert_index.nearest import OwnAlert
from sequela_console.alerts.listing import alert_page, neighbours
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.settings import ConsoleSettings
from sequela_console.state.alerts import (
    AlertDetails,
    AlertEffect,
    AlertRow,
    ReasonFeature,
    add_alerts,
    add_details,
)
from sequela_console.state.database import StateDatabase

FEATURES = tuple(f"feature_{number}" for number in range(17))
SPACE = "space"
CALLS = 15
_BATCH = 5000
_START = 1_790_000_000.0


def fill(state: StateDatabase, alerts: int) -> None:
    """Fills an index with made-up alerts: one a minute, of three models, with three labels and three reasons each."""
    rows: list[AlertDetails] = []
    for details in _made_up(alerts):
        rows.append(details)
        if len(rows) == _BATCH:
            _write(state, rows)
            rows = []
    _write(state, rows)
    state.read.execute("PRAGMA optimize")


def _write(state: StateDatabase, rows: list[AlertDetails]) -> None:
    add_alerts(state, [each.row for each in rows])
    add_details(state, rows)


def _made_up(alerts: int) -> Iterator[AlertDetails]:
    rng = np.random.default_rng(0)
    for number in range(alerts):
        vector = rng.normal(0, 0.1, len(FEATURES) + 1).astype(np.float32)
        strongest = np.argsort(-np.abs(vector[:-1]))[:3]
        model = f"models/model_{number % 3}/versions/1"
        row = AlertRow(
            id=f"{int(rng.integers(2**62)):016x}{number:016x}",
            created=_START + 60.0 * number,
            caller_id=f"case-{int(rng.integers(10**9)):09d}",
            labels={
                "account": f"account-{number // 3:06d}",
                "country": f"C{number % 40:02d}",
                "queue": ("cards", "payments", "accounts")[number % 3],
            },
            model=model,
            model_digest=model,
            target="fraud",
            target_label="Probability of fraud",
            score=float(rng.beta(0.4, 0.6)),
            base=0.01,
            in_unit_interval=True,
            events=int(rng.integers(5, 300)),
            happened=_START + 60.0 * number - float(rng.exponential(600)),
            reasons=tuple(
                ReasonFeature(FEATURES[place], FEATURES[place], float(vector[place])) for place in strongest
            ),
            detailed=True,
        )
        yield AlertDetails(row, (AlertEffect(SPACE, vector.tobytes(), row.id),))


def console_of(state: StateDatabase) -> Console:
    """Returns the parts of a console that the list needs, without a service."""
    service = Sequela("localhost:1")
    parts = SimpleNamespace(
        settings=ConsoleSettings(server="localhost:1"), state=state, index=AlertIndex(service, state, {})
    )
    return cast("Console", parts)


def question(query: Mapping[str, str], path: Mapping[str, str] | None = None) -> Question:
    """Returns a request with these parameters."""
    return Question(cast("Any", None), path or {}, query, {}, "http://localhost")


def cases(console: Console) -> dict[str, Callable[[], object]]:
    """Returns what is timed, by name."""
    middle = console.state.read.execute(
        "SELECT id, caller_id FROM alert ORDER BY created LIMIT 1 OFFSET (SELECT COUNT(*) / 2 FROM alert)"
    ).fetchone()
    queries: dict[str, Mapping[str, str]] = {
        "first page": {},
        "by score": {"sort": "score"},
        "by caller": {"sort": "caller", "order": "asc"},
        "by time of event": {"sort": "happened"},
        "score from 0.85": {"min_score": "0.85"},
        "score from 0.85, by score": {"min_score": "0.85", "sort": "score"},
        "a label": {"label": "country:C07"},
        "a label, by score": {"label": "country:C07", "sort": "score"},
        "a model": {"model": "models/model_1/versions/1"},
        "a reason": {"feature": "feature_3"},
        "open only": {"verdict": "open"},
        "decided only": {"verdict": "decided"},
        "the last 7 days": {"from": "2026-11-26T00:00:00Z"},
        "search: an id": {"q": middle["id"]},
        "search: start of a caller id": {"q": middle["caller_id"][:8]},
        "search: inside": {"q": middle["caller_id"][6:11]},
        "search: one letter": {"q": "c"},
        "search: many": {"q": "account"},
        "everything together": {
            "min_score": "0.5",
            "label": "queue:cards",
            "feature": "feature_3",
            "verdict": "open",
            "q": "case",
            "sort": "score",
        },
    }
    found: dict[str, Callable[[], object]] = {
        f"list: {name}": _page(console, query) for name, query in queries.items()
    }
    middle_page = {"sort": "score", "cursor": alert_page(console, question({"sort": "score"})).next or ""}
    found["list: a further page"] = _page(console, middle_page)
    found["neighbours"] = lambda: neighbours(console, question({}, {"id": middle["id"]}))
    found["neighbours, filtered"] = lambda: neighbours(
        console, question({"verdict": "open", "min_score": "0.85", "sort": "score"}, {"id": middle["id"]})
    )
    vector = np.zeros(len(FEATURES) + 1, np.float32)
    found["similar"] = lambda: console.index.nearest.nearest(SPACE, vector, OwnAlert("", "", ""), 10)
    return found


def _page(console: Console, query: Mapping[str, str]) -> Callable[[], object]:
    return lambda: alert_page(console, question(query))


def timed(call: Callable[[], object]) -> list[float]:
    """Returns how long some calls take, in milliseconds."""
    found = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - start))
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--alerts", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = StateDatabase(Path(folder) / "console.db")
        start = time.perf_counter()
        fill(state, arguments.alerts)
        print(f"{arguments.alerts:,} alerts were written in {time.perf_counter() - start:.0f} s")
        size = (Path(folder) / "console.db").stat().st_size
        print(f"The file has {size / 1e6:.0f} MB\n")
        print(f"{'':32} {'median ms':>10} {'largest ms':>10}")
        for name, call in cases(console_of(state)).items():
            call()
            times = timed(call)
            print(f"{name:32} {median(times):10.1f} {max(times):10.1f}")


if __name__ == "__main__":
    main()
