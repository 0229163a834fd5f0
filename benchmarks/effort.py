"""How much is measured: enough for figures to keep, or just enough to see that all of it works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """`repeats`: explanations whose median counts. `coalitions`: a level. `reference`: at most so many coalitions for
    the attributions that errors are measured against. `seconds`: of each load and bare run. `calls`: one after
    another. `seeds`: of each estimator where errors are compared.
    """

    repeats: int
    coalitions: int
    reference: int
    seconds: float
    bare_seconds: float
    calls: int
    seeds: int


FULL = Effort(
    repeats=5, coalitions=32_768, reference=1 << 20, seconds=20.0, bare_seconds=1.0, calls=400, seeds=10
)
QUICK = Effort(
    repeats=2, coalitions=2048, reference=1 << 15, seconds=3.0, bare_seconds=0.2, calls=50, seeds=2
)
