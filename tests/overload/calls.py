"""What is sent to the server, and what became of it. Both are passed between processes as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that is to be sent.

    Attributes:
        at: When, in seconds from the start.
        client: The token of the client.
        priority: `interactive` or `bulk`.
        timeout: Its deadline, in seconds.
        number: Which alert it sends. Calls with different numbers send different values.
    """

    at: float
    client: str
    priority: str
    timeout: float
    number: int


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What became of a call.

    Attributes:
        call: The call.
        late: How much later than planned it was sent, in seconds. If the machine is busy, the generator is too.
        seconds: From when it was sent until the answer or the refusal was there.
        reason: Empty for an answer; otherwise the reason of the error.
        retry: Whether the refusal said when to try again.
        cut_short: Whether the deadline cut the answer short.
        target_raised: Whether the answer says that its target was raised.
        levels: How many levels of the answer have attributions.
        players: The cells and groups of the cell level, of some answers.
        values: Their attributions.
        errors: Their standard errors.
    """

    call: PlannedCall
    late: float
    seconds: float
    reason: str = ""
    retry: bool = False
    cut_short: bool = False
    target_raised: bool = False
    levels: int = 0
    players: str = ""
    values: Sequence[float] = ()
    errors: Sequence[float] = ()


def to_json(calls: Iterable[Any]) -> str:
    """Returns planned calls or outcomes as JSON."""
    return json.dumps([asdict(each) for each in calls])


def plan_from_json(text: str) -> list[PlannedCall]:
    """Returns planned calls."""
    return [PlannedCall(**each) for each in json.loads(text)]


def outcomes_from_json(text: str) -> list[CallOutcome]:
    """Returns outcomes."""
    return [CallOutcome(**{**each, "call": PlannedCall(**each["call"])}) for each in json.loads(text)]


def poisson(rate: float, seconds: float, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Returns random times of arrival: `rate` a second on average."""
    return np.sort(random.uniform(0.0, seconds, random.poisson(rate * seconds)))
