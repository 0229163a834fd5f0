"""One client that sends ten times its share, beside others that send theirs: what it costs them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from overload.calls import CallOutcome, PlannedCall, poisson
from overload.server import MeasuredServer, measured_server
from overload.steady import percentile, slowness

OTHERS = tuple(f"other-{number}" for number in range(4))
FLOOD = "flood"
OTHERS_LOAD = 0.5
"""What the others send together, as a share of saturation."""
TENFOLD = 10
TURNS = 3
"""How often the others are measured alone and then beside it, so that other work of the machine affects both."""
TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class FloodFigures:
    """What became of the calls of the others, without and with a client that floods.

    Attributes:
        answered: The share that got an answer.
        p50: The median time until it, in seconds.
        flood_answered: The share of the calls of the client that floods that got an answer.
        reasons: How often the others were given each reason, beside it.
    """

    answered: tuple[float, float]
    p50: tuple[float, float]
    flood_answered: float
    reasons: dict[str, int]

    @property
    def cost(self) -> float:
        """The share of answers that the others lose to the client that floods."""
        return 1 - self.answered[1] / self.answered[0]

    def rows(self) -> list[tuple[str, str, str]]:
        """Returns what was measured, what must be, and what was found."""
        before, after = self.p50
        return [
            ("a client that floods tenfold costs others", "<= 10 %", f"{self.cost:.1%} of their answers"),
            ("  others answered, without and with it", "", f"{self.answered[0]:.1%}, {self.answered[1]:.1%}"),
            (
                "  their median time, without and with it",
                "",
                f"{1000 * before:.0f} ms, {1000 * after:.0f} ms",
            ),
            ("  its own calls answered", "", f"{self.flood_answered:.1%}"),
            ("  others refused", "", str(self.reasons)),
        ]


def measure(saturation: float, seconds: float, seed: int) -> FloodFigures:
    """Measures the others alone and with the client that floods. `saturation` is in answers a second."""
    random = np.random.default_rng(seed)
    with measured_server([*OTHERS, FLOOD]) as server:
        server.warm_up(OTHERS[0])
        alone, beside = list[CallOutcome](), list[CallOutcome]()
        for _ in range(TURNS):
            alone += _send(server, saturation, seconds / TURNS, random, 1)
            beside += _send(server, saturation, seconds / TURNS, random, TENFOLD)
    first, second = ([each for each in done if each.call.client != FLOOD] for done in (alone, beside))
    return FloodFigures(
        (_answered(first), _answered(second)),
        (_median(first), _median(second)),
        _answered([each for each in beside if each.call.client == FLOOD]),
        dict(Counter(each.reason for each in second if each.reason)),
    )


def _send(
    server: MeasuredServer, saturation: float, seconds: float, random: np.random.Generator, times: int
) -> list[CallOutcome]:
    """Sends the calls of the others, and `times` as many of another client as each of them sends."""
    each = OTHERS_LOAD * saturation / len(OTHERS)
    rates = {**dict.fromkeys(OTHERS, each), FLOOD: each * times}
    calls = [
        PlannedCall(at, client, "interactive", slowness(saturation) * TIMEOUT, int(random.integers(1 << 30)))
        for client, rate in rates.items()
        for at in poisson(rate, seconds, random)
    ]
    return server.send_plan(sorted(calls, key=lambda call: call.at))


def _answered(outcomes: list[CallOutcome]) -> float:
    return sum(not each.reason for each in outcomes) / max(len(outcomes), 1)


def _median(outcomes: list[CallOutcome]) -> float:
    return percentile((each.seconds for each in outcomes if not each.reason), 50)
