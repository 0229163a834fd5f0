"""Many callers at once, with little time each: how many get an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overload.calls import CallOutcome, PlannedCall
from overload.server import MeasuredServer, measured_server
from overload.steady import WARM_UP_SECONDS

CALLERS = 50
TIMEOUT = 0.1
PAUSE_SECONDS = 1.0
"""Between the deadlines of a burst and the next one, so that bursts do not add up."""
CLIENT = "caller"


@dataclass(frozen=True, slots=True)
class BurstFigures:
    """What became of the calls.

    Attributes:
        answered: The share of calls that got an answer.
        explained: The share that got more than scores: attributions of the features.
        reasons: How often each reason was given for none.
        slowest_seconds: The longest time until an answer or a refusal.
    """

    answered: float
    explained: float
    reasons: dict[str, int]
    slowest_seconds: float

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
        ]


def measure(bursts: int, seed: int, timeout: float = TIMEOUT, callers: int = CALLERS) -> BurstFigures:
    """Sends bursts to a server of its own. The first calls warm it up and are not counted."""
    with measured_server([CLIENT]) as server:
        server.send("closed", "2", WARM_UP_SECONDS, CLIENT)
        return figures(_send(server, bursts, seed, timeout, callers))


def _send(server: MeasuredServer, bursts: int, seed: int, timeout: float, callers: int) -> list[CallOutcome]:
    first = int(np.random.default_rng(seed).integers(1 << 30))
    plan = [
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
    return server.send_plan(plan)


def figures(outcomes: list[CallOutcome]) -> BurstFigures:
    """Returns the figures of some calls."""
    answers = [each for each in outcomes if not each.reason]
    reasons = [each.reason for each in outcomes if each.reason]
    explained = sum(not each.cut_short for each in answers)
    return BurstFigures(
        len(answers) / len(outcomes),
        explained / len(outcomes),
        {reason: reasons.count(reason) for reason in sorted(set(reasons))},
        max(each.seconds for each in outcomes),
    )
