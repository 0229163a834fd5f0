"""Short versions of `make soak SOAK_ARGS=endurance`, and that it finds what it looks for."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from overload.endurance import NAMED_THREADS, EnduranceFigures, measure
from overload.footprint import Footprint, footprint, growth
from overload.mixed_calls import content
from sequela_proto.v1 import sequela_pb2 as pb

SAMPLES = 100
EXPLANATIONS, TENTH = 300, 2
GREEDY = """
import sys, threading
print("started", flush=True)
sys.stdin.readline()
held = bytearray(b"x" * 50_000_000)
files = [open(sys.executable, "rb") for _ in range(7)]
over = threading.Event()
threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(3)]
for each in threads:
    each.start()
print("holds", flush=True)
sys.stdin.readline()
"""
NAMED = """
import sys, threading
over = threading.Event()
def wait():
    print("started", flush=True)
    over.wait()
threading.Thread(target=wait, name="lookup_7").start()
sys.stdin.readline()
over.set()
"""


def figures(
    memory: Sequence[float],
    descriptors: Sequence[int] = (40,) * SAMPLES,
    threads: Sequence[int] = (30,) * SAMPLES,
) -> EnduranceFigures:
    """A run without wrong answers, with these samples."""
    samples = zip(memory, descriptors, threads, strict=True)
    held = [Footprint(each / 4, 3 * each / 4, 2 * each, *other, frozenset()) for each, *other in samples]
    answers = ["a", "b"]
    return EnduranceFigures("file", 10.0, Counter(answered=100), [], held, [answers, answers, answers])


def test_noise_is_no_growth() -> None:
    """Memory that fills up in the first tenth, and then moves about and has peaks, is within the bound."""
    random = np.random.default_rng(1)
    noisy = 400.0 + random.normal(scale=8.0, size=SAMPLES)
    noisy[::7] += 100.0
    noisy[-1] += 300.0
    noisy[:10] = np.linspace(100.0, 400.0, 10)
    found = figures(noisy.tolist())
    assert abs(found.memory_growth) < 0.02
    assert found.faults == 0


def test_slow_growth_is_found() -> None:
    """A leak of 7 % over the run is a fault, and so is one more descriptor or thread."""
    random = np.random.default_rng(2)
    leaking = np.linspace(400.0, 428.0, SAMPLES) + random.normal(scale=4.0, size=SAMPLES)
    steady = [400.0] * SAMPLES
    one_more = [40] * 50 + [41] * 50
    assert figures(leaking.tolist()).faults == 1
    assert figures(steady, descriptors=one_more).faults == 1
    assert figures(steady, threads=one_more).faults == 1


def test_threads_that_start_late_are_named() -> None:
    """A name counts as often as it is there more often than before; threads that came early or went do not count."""
    found = figures([400.0] * SAMPLES)
    early, late = ("explain_0", "explain_1", "load"), ("engine: pool-0", "explain_0", "load", "load", "load")
    found.footprints = [
        replace(each, thread_names=early if number < 20 else late)
        for number, each in enumerate(found.footprints)
    ]
    assert found.late_threads == ["engine: pool-0", "load", "load"]
    assert ("  that started later", "", "engine: pool-0, load, load") in found.rows()


def test_other_answers_and_missing_ones_are_faults() -> None:
    """Each counts."""
    found = figures([400.0] * SAMPLES)
    found.contents[2] = ["a", "other"]
    found.faults_found.append("question 3: UNAVAILABLE")
    assert found.changed == 1
    assert found.faults == 2


def test_few_samples() -> None:
    """A run that ended early has figures, too."""
    assert growth([3.0], 1) == (3.0, 3.0)
    assert growth([3.0, 4.0, 5.0], 1) == (4.0, 5.0)
    assert growth([1.0, 1.0, 2.0, 4.0, 6.0], 2) == (3.0, 5.0)


def test_what_a_process_holds_is_seen() -> None:
    """50 MB, seven files and three threads more."""
    command = [sys.executable, "-c", GREEDY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        before = footprint(process.pid)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "holds\n"
        after = footprint(process.pid)
        process.stdin.write("\n")
    assert 48.0 < after.own_mb - before.own_mb < 60.0
    assert after.descriptors - before.descriptors == 7
    assert after.threads - before.threads == 3
    assert after.processes == before.processes == {process.pid}


def test_threads_of_a_process_have_names() -> None:
    """The driver lets the server name its threads, so that it can say which ones started late."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", NAMED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(NAMED_THREADS)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        names = footprint(process.pid).thread_names
        process.communicate("\n")
    assert "lookup_7" in names
    assert len(names) == 2


def test_content_is_the_answer_without_its_name_and_times() -> None:
    """Names, times and costs do not count; a value in its last digit does."""
    one = pb.Explanation(name="explanations/1", event_count=3)
    one.event_level.attributions.add(values=[0.25])
    one.event_level.quality.time.nanos = 5
    one.cost.model_rows = 7
    other = pb.Explanation()
    other.CopyFrom(one)
    other.name, other.event_level.quality.time.nanos, other.cost.model_rows = "explanations/2", 6, 0
    assert content(one) == content(other)
    other.event_level.attributions[0].values[0] = math.nextafter(0.25, 1.0)
    assert content(one) != content(other)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["file", "redis"])
def test_a_short_run(store: str) -> None:
    """All is answered, and answers stay the same. Memory is not judged, since so short a run is all warm-up; but not
    every call leaves something open.
    """
    found = measure(EXPLANATIONS, math.inf, seed=3, store=store, tenth=TENTH, large_records=5)
    assert found.faults_found == []
    assert found.counts["answered"] == EXPLANATIONS
    assert found.changed == 0
    assert len(found.footprints) == 10 * TENTH
    for way in (
        "answered over HTTP",
        "asked again",
        "looked up",
        "hung up",
        "hung up over HTTP",
        "MODEL_NOT_FOUND",
    ):
        assert found.counts[way] > 0
    assert found.more_descriptors < 10 * TENTH
    assert found.more_threads < 10 * TENTH
