"""Many callers at once, with little time each: how many get an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overload.calls import CallOutcome, PlannedCall
from overload.server import measured_server
from overload.steady import percentile

CALLERS = 50
TIMEOUT = 0.1
PAUSE_SECONDS = 1.0
"""Between the deadlines of a burst and the next one, so that bursts do not add up."""
CLIENT = "caller"
GENERATORS = 2
"""So that calls are sent at once, and not one after the other."""


@dataclass(frozen=True, slots=True)
class BurstFigures:
    """What became of the calls.

    Attributes:
        answered: The share of calls that got an answer.
        explained: The share that got more than scores: attributions of the features.
        reasons: How often each reason was given for none.
        slowest_seconds: The longest time until an answer or a refusal.
        late_seconds: How late calls were sent, at the 99th percentile.
        cpu_ms: The processor time of each call, in ms: of the server's own process, and of its engines.
    """

    answered: float
    explained: float
    reasons: dict[str, int]
    slowest_seconds: float
    late_seconds: float
    cpu_ms: tuple[float, float]

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""
        return [
            (
                f"{CALLERS} callers at once, {1000 * TIMEOUT:.0f} ms each: answered",
                ">= 90 %",
                f"{self.answered:.1%}",
            ),
            ("  of all, with attributions", "", f"{self.explained:.1%}"),
            ("  slowest answer or refusal", "", f"{1000 * self.slowest_seconds:.0f} ms"),
            ("  refused", "", str(self.reasons)),
            ("  calls sent late, p99", "small", f"{1000 * self.late_seconds:.0f} ms"),
            ("  processor time of a call, server + engines", "", "{:.1f} + {:.1f} ms".format(*self.cpu_ms)),
        ]


def measure(bursts: int, seed: int, timeout: float = TIMEOUT, callers: int = CALLERS) -> BurstFigures:
    """Sends bursts to a server of its own. The first calls warm it up and are not counted."""
    with measured_server([CLIENT]) as server:
        server.warm_up(CLIENT)
        before = server.processor_seconds()
        outcomes = server.send_plan(plan(bursts, seed, timeout, callers), GENERATORS)
        after = server.processor_seconds()
    used = after.server - before.server, after.engines - before.engines
    return figures(outcomes, (1000 * used[0] / len(outcomes), 1000 * used[1] / len(outcomes)))


def plan(bursts: int, seed: int, timeout: float, callers: int) -> list[PlannedCall]:
    """Returns the calls of some bursts."""
    first = int(np.random.default_rng(seed).integers(1 << 30))
    return [
        PlannedCall(
            (PAUSE_SECONDS + timeout) * burst,
            CLIENT,
            "interactive",
            timeout,
            first + burst * callers + caller,
        )
        for burst in range(bursts)
        for caller in range(callers)
    ]


def figures(outcomes: list[CallOutcome], cpu_ms: tuple[float, float]) -> BurstFigures:
    """Returns the figures of some calls."""
    answers = [each for each in outcomes if not each.reason]
    reasons = [each.reason for each in outcomes if each.reason]
    explained = sum(each.levels > 0 for each in answers)
    return BurstFigures(
        len(answers) / len(outcomes),
        explained / len(outcomes),
        {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        max(each.seconds for each in outcomes),
        percentile(each.late for each in outcomes),
        cpu_ms,
    )
