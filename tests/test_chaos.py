"""Short versions of `make soak SOAK_ARGS=chaos`: something breaks under load, and nothing is lost, wrong or failed.

Calls are few, so that a machine that does other things too can answer them. How long it takes to recover is not held
to a bound here, except that it must end.
"""

from __future__ import annotations

import pytest
from chaos.run import INSTALLATIONS, Schedule, measure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CALLS_A_SECOND = 1.0
ONCE = Schedule(0.0, incident_seconds=1.0, quiet_seconds=1.0)
"""Each incident once."""


def together() -> list[list[str]]:
    """Returns the names of the incidents, those of one installation together."""
    return [
        [name for name in INSTALLATIONS if INSTALLATIONS[name] is installation]
        for installation in dict.fromkeys(INSTALLATIONS.values())
    ]


@pytest.mark.parametrize("names", together(), ids=lambda names: names[0])
def test_nothing_is_lost_wrong_or_failed(names: list[str]) -> None:
    """Each incident happens once: all calls are answered as without it, and another server finds all explanations."""
    found = measure(names, CALLS_A_SECOND, ONCE, seed=1)
    assert [event.name for event in found.events] == names
    assert found.answered > 0
    assert (found.wrong, found.lost, dict(found.reasons)) == (0, 0, {})
