"""Damaged models that are uploaded, or put into the repository: each gets a right answer or a reason, in time.

`make fuzz FUZZ_ARGS="uploads --cases 2000"` and `"repository --cases 2000"` try many more, with a tighter bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fuzz import mutants, server_campaign
from fuzz.server_outcomes import ServerOutcomes

CASES, SEED = 100, 7
ALLOWED_SECONDS = 40.0  # on a machine that does other things; a call that hangs takes for ever


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "give", [server_campaign.upload, server_campaign.place], ids=["uploads", "repository"]
)
def test_damaged_models_harm_nobody(give: Callable[..., Any]) -> None:
    """No other call fails, and the server's memory stays as it is. Some of the models still work."""
    outcomes = ServerOutcomes(ALLOWED_SECONDS)
    give(mutants.case, CASES, SEED, 0, outcomes)
    assert outcomes.harmless, "\n".join(outcomes.report())
    assert outcomes.counts.total() == CASES
    assert outcomes.compared > CASES // 20
