"""Three times as many alerts as the server can answer in full, most of them interactive, for minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from overload.calls import CallOutcome, PlannedCall, poisson
from overload.server import MeasuredServer, Probes, measured_server, probing
from overload.workload import ALERTS, ExactCells, exact_cells

CLIENTS = tuple(f"client-{number}" for number in range(8))
LOAD = 3.0
INTERACTIVE_SHARE = 0.8
INTERACTIVE_TIMEOUT, BULK_TIMEOUT = 1.0, 20.0
"""Deadlines of the calls, in seconds, on a machine that answers 50 a second. On a slower one they are longer."""
USUAL_SATURATION = 50.0
UNLOADED_SHARE = 0.1
"""The share of saturation at which the unloaded time is measured."""
Z95 = 1.959964
EXACT_TO = 1e-5
"""Calls send slightly different alerts, whose exact values differ by no more than this."""


@dataclass(frozen=True, slots=True)
class SteadyFigures:
    """What became of the calls. Times are in seconds.

    Attributes:
        saturation: Answers a second, without brownout, of as many callers as keep the server busy.
        goodput: Answers a second under overload.
        sent: Calls a second.
        refused_p99: The time until a refusal that came before the deadline.
        interactive_p99, unloaded_p99: The time until an interactive answer, under overload and without load.
        health_p99, health_longest: The time until an answer to a health check.
        memory_mb: The memory of the server and its engines that is no part of a file, at the start, in the middle and
            at the end.
        coverage: How many 95 % intervals of rough answers hold the exact value; NaN if there were none.
        rough: The share of answers whose target was raised.
        bulk: Answers a second to bulk calls.
        reasons: How often each reason was given.
        late_p99: How much later than planned calls were sent. If it is not small, the machine was too busy to measure.
    """

    saturation: float
    goodput: float
    sent: float
    refused_p99: float
    interactive_p99: float
    unloaded_p99: float
    health_p99: float
    health_longest: float
    memory_mb: tuple[float, float, float]
    coverage: float
    rough: float
    bulk: float
    reasons: dict[str, int]
    late_p99: float

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""
        first, middle, last = self.memory_mb
        return [
            ("saturation, without brownout", "", f"{self.saturation:.1f} a second"),
            ("sent", f"{LOAD:g} times that", f"{self.sent:.1f} a second"),
            ("goodput / saturation", ">= 90 %", f"{self.goodput / self.saturation:.1%}"),
            ("refused, p99", "<= 50 ms", _ms(self.refused_p99)),
            ("interactive, p99", "<= 2 x unloaded", _ms(self.interactive_p99)),
            ("  unloaded, p99", "", _ms(self.unloaded_p99)),
            ("health, p99", "", _ms(self.health_p99)),
            ("health, longest", "", _ms(self.health_longest)),
            ("memory of its own, at the start", "", f"{first:.0f} MB"),
            ("  in the middle, at the end", "flat", f"{middle:.0f} MB, {last:.0f} MB"),
            ("95 % intervals of rough answers hold", ">= 93 %", f"{self.coverage:.1%}"),
            ("  of all answers are rough", "", f"{self.rough:.1%}"),
            ("  bulk answers", "", f"{self.bulk:.1f} a second"),
            ("  refused", "", str(self.reasons)),
            ("  calls sent late, p99", "small", _ms(self.late_p99)),
        ]


def measure_saturation(seconds: float) -> float:
    """Returns the answers a second of a server without brownout that four callers keep busy."""
    with measured_server(CLIENTS, "--no-brownout") as server:
        server.warm_up(CLIENTS[0])
        done = server.send("closed", "4", str(seconds), CLIENTS[0])
    return sum(not each.reason for each in done) / seconds


def measure(saturation: float, seconds: float, seed: int) -> SteadyFigures:
    """Measures the unloaded time and then the overload. `saturation` is in answers a second."""
    random = np.random.default_rng(seed)
    with measured_server(CLIENTS) as server:
        server.warm_up(CLIENTS[0])
        quiet = _unloaded(server, saturation, min(seconds, 60.0), random)
        with probing(server) as probes:
            outcomes = server.send_plan(plan(saturation, LOAD, seconds, random))
        truth = exact_cells(server.address, CLIENTS[0])
    return _figures(saturation, seconds, quiet, outcomes, probes, truth)


def slowness(saturation: float) -> float:
    """Returns by how much deadlines are longer, because the machine is slow or busy."""
    return max(1.0, USUAL_SATURATION / saturation)


def plan(saturation: float, load: float, seconds: float, random: np.random.Generator) -> list[PlannedCall]:
    """Returns calls at random times, of all clients in turn: `load` times the saturation."""
    rate, factor = load * saturation, slowness(saturation)
    return [
        _call(at, client, random.random() < INTERACTIVE_SHARE, int(random.integers(1 << 30)), factor)
        for at, client in zip(poisson(rate, seconds, random), cycle(CLIENTS), strict=False)
    ]


def _call(at: float, client: str, interactive: bool, number: int, factor: float) -> PlannedCall:
    if interactive:
        return PlannedCall(at, client, "interactive", factor * INTERACTIVE_TIMEOUT, number)
    return PlannedCall(at, client, "bulk", factor * BULK_TIMEOUT, number)


def _unloaded(
    server: MeasuredServer, saturation: float, seconds: float, random: np.random.Generator
) -> list[CallOutcome]:
    calls = plan(saturation, UNLOADED_SHARE, seconds, random)
    return [each for each in server.send_plan(calls) if each.call.priority == "interactive"]


def _figures(
    saturation: float,
    seconds: float,
    quiet: Sequence[CallOutcome],
    outcomes: Sequence[CallOutcome],
    probes: Probes,
    truth: Mapping[int, ExactCells],
) -> SteadyFigures:
    answers = [each for each in outcomes if not each.reason]
    refused = [each for each in outcomes if each.reason == "QUEUE_FULL"]
    reasons = [each.reason for each in outcomes if each.reason]
    return SteadyFigures(
        saturation=saturation,
        goodput=len(answers) / seconds,
        sent=len(outcomes) / seconds,
        refused_p99=percentile(each.seconds for each in refused),
        interactive_p99=percentile(each.seconds for each in answers if each.call.priority == "interactive"),
        unloaded_p99=percentile(each.seconds for each in quiet if not each.reason),
        health_p99=percentile(probes.seconds),
        health_longest=max(probes.seconds),
        memory_mb=(probes.memory_mb[0], probes.memory_mb[len(probes.memory_mb) // 2], probes.memory_mb[-1]),
        coverage=coverage(answers, truth),
        rough=sum(each.target_raised for each in answers) / max(len(answers), 1),
        bulk=sum(each.call.priority == "bulk" for each in answers) / seconds,
        reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        late_p99=percentile(each.late for each in outcomes),
    )


def coverage(answers: Iterable[CallOutcome], truth: Mapping[int, ExactCells]) -> float:
    """Returns the share of the 95 % intervals of rough answers that hold the exact value."""
    held = [
        np.abs(np.array(each.values) - exact.values) <= Z95 * np.array(each.errors) + EXACT_TO
        for each in answers
        if each.target_raised
        and (exact := truth.get(each.call.number % ALERTS))
        and each.players == exact.players
    ]
    return float(np.concatenate(held).mean()) if held else float("nan")


def percentile(seconds: Iterable[float], part: float = 99.0) -> float:
    """Returns a percentile; NaN of nothing."""
    values = list(seconds)
    return float(np.percentile(values, part)) if values else float("nan")


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"
