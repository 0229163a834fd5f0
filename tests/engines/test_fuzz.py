"""Random models in engines: callers get an error or a result in time, and the front does not grow.

`make fuzz` runs many more.
"""

from __future__ import annotations

import pytest
from fuzz import campaign, mutants, nodes

ALLOWED_SECONDS = 30.0  # on a machine that does other things


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("case", "count"),
    [
        pytest.param(nodes.case, 60, id="few nodes"),
        pytest.param(nodes.case, 2000, marks=pytest.mark.slow, id="nodes"),
        pytest.param(mutants.case, 2000, marks=pytest.mark.slow, id="mutants"),
    ],
)
def test_random_models_harm_nobody(case: campaign.Case, count: int) -> None:
    """All are counted, those that end their engine too."""
    outcomes = campaign.run(case, count, seed=1, allowed_seconds=ALLOWED_SECONDS)
    assert sum(outcomes.counts.values()) == count
    # A busy machine may start an engine too late for a case, but not for many.
    assert outcomes.late < count / 10
    assert outcomes.harmless, "\n".join(outcomes.report())
    assert len(outcomes.ends) == sum(outcomes.counts[reason] for reason in campaign.NAMED)


@pytest.mark.parametrize("case", [nodes.case, mutants.case])
def test_the_same_seed_makes_the_same_models(case: campaign.Case) -> None:
    """So that a case can be looked at again."""
    for number in range(0, 400, 7):
        assert case(number, 1) == case(number, 1)
    assert (
        len({case(number, 1)[1] for number in range(50)} & {case(number, 2)[1] for number in range(50)}) < 10
    )


@pytest.mark.slow
def test_many_of_the_nodes_run() -> None:
    """Random nodes that are all refused when they are loaded would show little."""
    outcomes = campaign.run(nodes.case, 300, seed=3)
    assert outcomes.counts["ran"] > 40
