"""The store: bytes of an explanation, how long keeping one takes, and how long a page of a list takes.

A server explains simulated alerts with the demo's model, at default options, and keeps them with their sequences. Their
bodies are then stored many times over, each as a body of its own, so size and time are those of real explanations. The
list is of more records, which share these bodies, since its time does not depend on them. All times are taken at the
store itself, without the service around it.

Millions of explanations with bodies of their own take hours to write. Their size is extrapolated from what each of the
second half of the explanations added to the store, including its share of the indexes.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.table import Table
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.ports import Record, Records, StoredRecord
from sequela.adapters.store.serialization import decode_body
from sequela.adapters.store.sqlite.store import file_store
from sequela.explain.explanation import Explanation
from sequela.explain.explanation_query import Filter
from sequela.explain.kept_explanation import KeptExplanation, KeptSequence
from sequela.explain.ports import Observers

from benchmarks.beside import say
from benchmarks.bulk.simulated import alerts, inputs
from benchmarks.effort import Effort
from benchmarks.ours import serving
from benchmarks.report import Finding, ms, table
from benchmarks.store_backends import Backend, backends

MODEL_NAME = "account_takeover"
DISTINCT = 100  # explanations that the server makes; the others repeat them
PAGE = 50
PAGES = 300  # read at random positions of the list
AT_ONCE = 1000  # records that are added in one step
MILLION = 1_000_000
FILTERS = {
    "all": Filter(),
    "one model": Filter(model=MODEL_NAME),
    "one label": Filter(labels={"queue": "7"}),
    "score over 0.999": Filter(min_score=0.999),
    "one caller id": Filter(caller_id="alert-50"),
}


@dataclass(frozen=True, slots=True)
class KeepRow:
    """How much one explanation takes, and how long keeping it takes.

    Args:
        backend: the store.
        explanations: how many there were at the end.
        bytes_each: the size of the store, divided by them.
        more_bytes_each: by how much each of the second half made the store larger.
        seconds: the median time of keeping one of the second half.
        seconds_p99: the 99th percentile.
        python_seconds: the part before the backend is called: writing the body and the record.
    """

    backend: str
    explanations: int
    bytes_each: float
    more_bytes_each: float
    seconds: float
    seconds_p99: float
    python_seconds: float


@dataclass(frozen=True, slots=True)
class PageRow:
    """How long a page of 50 takes, at random positions of a list of so many records."""

    backend: str
    records: int
    filter: str
    p50_seconds: float
    p99_seconds: float


def study(effort: Effort, folder: Path) -> Finding:
    """Measures each backend."""
    say(f"store: explaining {DISTINCT} alerts")
    made = explained(folder / "made.db")
    keeps, pages = [], []
    for name, opened in backends().items():
        say(f"store: {name}, {effort.kept} explanations")
        with TemporaryDirectory(dir=folder) as place, opened(Path(place)) as backend:
            keeps.append(keep(name, backend, made, effort.kept))
        if listed := min(effort.listed, backend.most_listed):
            say(f"store: {name}, pages of {listed} records")
            with TemporaryDirectory(dir=folder) as place, opened(Path(place)) as backend:
                pages += listing(name, backend, made, listed)
    tables = [_keep_table(keeps), _size_table(keeps), _page_table(pages)]
    return Finding("store", [*keeps, *pages], tables)


def explained(path: Path) -> list[tuple[Record, KeptExplanation]]:
    """Explains simulated alerts by a server with a store, and reads what it kept."""
    with serving("--store", str(path)) as server:
        for number, alert in enumerate(alerts(DISTINCT)):
            server.sequela.explain(inputs(alert), model=MODEL_NAME, caller_id=f"alert-{number}")
    store = file_store(path)
    found = []
    for record in store.records.page(Filter(), "", DISTINCT).records:
        stored = store.records.get(record.summary.name)
        assert stored is not None
        found.append((record, decode_body(StoredRecord(record, stored.body))))
    store.close()
    assert len(found) == DISTINCT
    return found


def keep(name: str, backend: Backend, made: list[tuple[Record, KeptExplanation]], count: int) -> KeepRow:
    """Keeps explanations as the service does, and measures the space that they take."""
    timed: Any = TimedRecords(backend.store.records)
    explanations = ExplanationStore(timed, Observers([]))
    seconds, half = np.zeros(count), 0
    for number in range(count):
        if number == count // 2:
            half = backend.size()
        explanation, sequence = _another(made[number % len(made)][1], number)
        start = time.perf_counter()
        explanations.keep(f"key {number}", explanation, sequence, datetime.now(UTC))
        seconds[number] = time.perf_counter() - start
    size, later = backend.size(), seconds[count // 2 :]
    return KeepRow(
        name,
        count,
        size / count,
        (size - half) / len(later),
        float(np.median(later)),
        float(np.percentile(later, 99)),
        float(np.median(seconds - timed.seconds[:count])),
    )


class TimedRecords:
    """Records that measure how long the backend takes to add one. Nothing else is asked of them."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        start = time.perf_counter()
        self._records.add(record, body, answer_key)
        self.seconds.append(time.perf_counter() - start)


def listing(
    name: str, backend: Backend, made: list[tuple[Record, KeptExplanation]], count: int
) -> list[PageRow]:
    """Lists many records that share their bodies."""
    records = _records(made, count)
    while chunk := list(islice(records, AT_ONCE)):
        backend.add(chunk)
    rows = []
    for title, wanted in FILTERS.items():
        seconds = np.array(list(_pages(backend.store.records, wanted, made, count)))
        p50, p99 = np.percentile(seconds, [50, 99])
        rows.append(PageRow(name, count, title, float(p50), float(p99)))
    return rows


def _pages(
    records: Records, wanted: Filter, made: list[tuple[Record, KeptExplanation]], count: int
) -> Iterator[float]:
    chance = np.random.default_rng(0)
    latest = made[0][0].summary.create_time
    for _ in range(PAGES):
        end = latest + timedelta(seconds=int(chance.integers(1, count)))
        start = time.perf_counter()
        records.page(replace(wanted, end=end), "", PAGE)
        yield time.perf_counter() - start


def _another(kept: KeptExplanation, number: int) -> tuple[Explanation, KeptSequence]:
    """Returns an explanation with a name, an id and a body of its own, of the same size."""
    assert kept.sequence is not None
    # The seed is part of the body, and the same number of digits for all.
    options = replace(kept.explanation.options, seed=10**15 + number)
    explanation = replace(
        kept.explanation,
        name=f"explanations/{number:032x}",
        caller_id=f"alert-{number:08}",
        create_time=datetime.now(UTC),
        options=options,
    )
    return explanation, kept.sequence


def _records(made: list[tuple[Record, KeptExplanation]], count: int) -> Iterator[Record]:
    latest = made[0][0].summary.create_time
    for number in range(count):
        record = made[number % len(made)][0]
        summary = replace(
            record.summary,
            name=f"explanations/{number:032x}",
            caller_id=f"alert-{number % (count // 100)}",
            create_time=latest + timedelta(seconds=number),
            labels={"queue": str(number % 50)},
        )
        yield replace(
            record, summary=summary, accepted=datetime.now(UTC), expires=datetime.now(UTC) + timedelta(days=7)
        )


def _keep_table(rows: Sequence[KeepRow]) -> Table:
    shown = [
        [
            row.backend,
            f"{row.explanations:,}",
            f"{row.bytes_each:.0f}",
            ms(row.seconds),
            ms(row.seconds_p99),
            ms(row.python_seconds),
        ]
        for row in rows
    ]
    columns = ("store", "explanations", "bytes each", "keep p50 ms", "p99 ms", "of it encoding ms")
    return table("Keeping explanations with their sequences", columns, shown)


def _size_table(rows: Sequence[KeepRow]) -> Table:
    shown = [
        [
            row.backend,
            f"{row.more_bytes_each:.0f}",
            *(f"{row.more_bytes_each * millions * MILLION / 1e9:.1f}" for millions in (1, 10)),
        ]
        for row in rows
    ]
    columns = ("store", "one more, bytes", "a million, GB", "ten million, GB")
    return table("Size of many, extrapolated", columns, shown)


def _page_table(rows: Sequence[PageRow]) -> Table:
    shown = [
        [f"{row.backend}, {row.filter}", f"{row.records:,}", ms(row.p50_seconds), ms(row.p99_seconds)]
        for row in rows
    ]
    return table(f"A page of {PAGE}", ("list", "records", "p50 ms", "p99 ms"), shown)
