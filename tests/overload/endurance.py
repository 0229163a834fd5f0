"""Tens of thousands of explanations of mixed models and sizes: whether the server goes on holding what it held.

The server has two engines and default settings, except that caches are smaller (`SIZES`). The first tenth of the run is
the warm-up: it has all models, all lengths of sequences and all kinds of calls, which start threads and load code, and
the caches fill up. Pages of the store's file are cached up to 64 MiB, which takes some 20,000 explanations, so the
store gets `LARGE_RECORDS` before. What is kept for callers grows as long as they ask. It is in the store, which is a
file, as by default, or a Redis, whose memory is not the server's.

After each hundredth of the run, when everything is answered and the server does nothing, its memory, descriptors and
threads are read. The medians of the tenth after the warm-up and of the last tenth are compared. Threads that started
later are named.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from demo_alert import DEMO
from matrix import copy_models
from redis_server import running
from sequela_client.local_server import start_server

from overload.footprint import Footprint, await_quiet, footprint, growth
from overload.mixed_calls import MixedCalls
from overload.mixed_questions import CASES

STORES = ("file", "redis")
CALLERS = 4
TENTHS = 10
BLOCKS_OF_A_TENTH = 10
MAX_GROWTH = 0.05
SETTINGS = ("--engines", "2", "--brownout")
"""The server of a command has no engines of its own, and no brownout; these are the defaults of others."""
SIZES = (*("--cache-bytes", str(4 << 20)), *("--max-design-bytes", str(32 << 20)))
"""By default, 64 MiB and 256 MiB."""
LARGE_RECORDS = 1_000
"""80 kB each: more than the 64 MiB that the server caches of its file."""
NAMED_THREADS = Path(__file__).with_name("named_threads")
"""With this folder on its path, Python names threads so that the driver can say which ones came late."""
FIXED_QUESTIONS = range(1 << 40, (1 << 40) + 40)
"""Numbers of the questions whose answers are computed at the start, in the middle and at the end."""


@dataclass(slots=True)
class EnduranceFigures:
    """What became of the calls, and what the server held after each block of them.

    Attributes:
        store: `file` or `redis`.
        seconds: How long the calls took.
        counts: How often each thing happened.
        faults_found: What should not have happened, in words.
        footprints: What the server held.
        contents: The contents of the answers to the fixed questions, each time they were computed.
        tenth: After how many blocks a tenth of the planned run was over.
    """

    store: str
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    faults_found: list[str] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    contents: list[list[str]] = field(default_factory=list)
    tenth: int = BLOCKS_OF_A_TENTH

    @property
    def changed(self) -> int:
        """How many answers to the fixed questions differed from the first ones."""
        first, *later = self.contents
        return sum(one != other for each in later for one, other in zip(first, each, strict=True))

    @property
    def memory_growth(self) -> float:
        """By which part the memory of the server and its engines grew after the warm-up."""
        before, after = self._held("own_mb")
        return after / before - 1

    @property
    def more_descriptors(self) -> float:
        """How many more descriptors were open at the end than after the warm-up."""
        before, after = self._held("descriptors")
        return after - before

    @property
    def more_threads(self) -> float:
        """How many more threads there were at the end than after the warm-up."""
        before, after = self._held("threads")
        return after - before

    @property
    def late_threads(self) -> list[str]:
        """The names of the threads that were never there until the end of the tenth after the warm-up."""
        before, after = Counter[str](), Counter[str]()
        for number, each in enumerate(self.footprints):
            known = before if number < 2 * self.tenth else after
            known |= Counter(each.thread_names)
        return sorted((after - before).elements())

    @property
    def faults(self) -> int:
        """How many answers were wrong or missing, and how many bounds were missed."""
        missed = (self.memory_growth >= MAX_GROWTH, self.more_descriptors > 0, self.more_threads > 0)
        return len(self.faults_found) + self.changed + sum(missed)

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""
        answered = self.counts["answered"]
        rows = [
            (f"explanations, store: {self.store}", "", f"{answered:,} in {self.seconds:,.0f} s"),
            ("  a second", "", f"{answered / self.seconds:.1f}"),
            ("  wrong or missing", "0", str(len(self.faults_found))),
            (
                "answers that are other ones later",
                "0",
                f"{self.changed} of {(len(self.contents) - 1) * len(FIXED_QUESTIONS)}",
            ),
            ("memory after the warm-up and at the end", "< 5 % more", self._text("own_mb", " MB")),
            ("  growth", "< 5 %", f"{self.memory_growth:+.2%}"),
            ("  of the server", "", self._text("server_mb", " MB")),
            ("  of its engines", "", self._text("engines_mb", " MB")),
            ("  resident, with shared pages", "", self._text("resident_mb", " MB")),
            ("descriptors", "no more", self._text("descriptors", "")),
            ("threads", "no more", self._text("threads", "")),
            ("  that started later", "", ", ".join(self.late_threads) or "none"),
        ]
        rows += [(f"  {what}", "", f"{count:,}") for what, count in sorted(self.counts.items())]
        return rows + [(f"  {each}", "", "FAULT") for each in self.faults_found[:20]]

    def _held(self, name: str) -> tuple[float, float]:
        return growth([float(getattr(each, name)) for each in self.footprints], self.tenth)

    def _text(self, name: str, unit: str) -> str:
        before, after = self._held(name)
        return f"{before:.1f}{unit}, {after:.1f}{unit}"


def measure(
    explanations: int,
    max_seconds: float,
    seed: int,
    store: str,
    tenth: int = BLOCKS_OF_A_TENTH,
    large_records: int = LARGE_RECORDS,
) -> EnduranceFigures:
    """Asks for so many explanations, but not for much longer than `max_seconds`, and reads what the server holds.

    Args:
        explanations: How many there are to be.
        max_seconds: No block begins after this time.
        seed: Of the questions, and of how they are asked.
        store: One of `STORES`.
        tenth: After how many blocks of questions a tenth is over.
        large_records: How many large records the store gets before.
    """
    found, blocks = EnduranceFigures(store, tenth=tenth), TENTHS * tenth
    size, end = max(1, explanations // blocks), time.monotonic() + max_seconds
    with _server(store) as (pid, addresses), _calls(addresses, seed, found) as calls:
        calls.prepare()
        calls.fill_store(large_records)
        calls.start_threads()
        found.contents.append(_fixed_answers(calls))
        for block in range(blocks):
            _ask_block(calls, range(block * size, (block + 1) * size), found)
            await_quiet(pid)
            found.footprints.append(footprint(pid))
            _report(found, calls)
            if block == blocks // 2:
                found.contents.append(_fixed_answers(calls))
            if time.monotonic() > end:
                break
        found.contents.append(_fixed_answers(calls))
    return found


def _ask_block(calls: MixedCalls, numbers: range, found: EnduranceFigures) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(calls.ask, numbers))
    found.seconds += time.monotonic() - began


def _fixed_answers(calls: MixedCalls) -> list[str]:
    return [calls.computed(number) for number in FIXED_QUESTIONS]


@contextmanager
def _calls(addresses: Sequence[str], seed: int, found: EnduranceFigures) -> Iterator[MixedCalls]:
    calls = MixedCalls(addresses[0], addresses[1], seed)
    try:
        yield calls
    finally:
        calls.close()
    found.counts, found.faults_found = calls.counts, calls.faults


@contextmanager
def _server(store: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """Starts a server, and yields its process and its addresses for gRPC and HTTP."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = copy_models(folder / "models", [case.name for case in CASES])
        shutil.copytree(DEMO / "models", models, dirs_exist_ok=True)
        place = str(folder / "store.db")
        if store == "redis":
            place = stack.enter_context(contextmanager(running)()).url
        kept = ("--store", place, "--outbox-folder", str(folder / "outbox"))
        with patch.dict(os.environ, PYTHONPATH=str(NAMED_THREADS)):
            server = start_server(["--model-repository", str(models), *kept, *SETTINGS, *SIZES])
        stack.callback(server.stop)
        bound = json.loads(Path(server.folder.name, "ready").read_text())
        yield server.process.pid, (bound["grpc"], bound["http"])


def _report(found: EnduranceFigures, calls: MixedCalls) -> None:
    held, answered = found.footprints[-1], calls.counts["answered"]
    sys.stderr.write(
        f"{answered:,} explanations, {answered / found.seconds:.1f} a second: server {held.server_mb:.1f} MB, "
        f"engines {held.engines_mb:.1f} MB, {held.descriptors} descriptors, {held.threads} threads, "
        f"{len(held.processes)} processes, {len(calls.faults)} faults\n"
    )
