"""How much to measure: enough for figures to publish, or just enough to see that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Args:
        repeats: how many explanations a median is taken over.
        coalitions: how many coalitions a level gets.
        reference: the largest number of coalitions for the attributions that errors are measured against.
        seconds: how long each load and each bare run takes.
        calls: how many calls follow one after another.
        seeds: how many seeds each estimator gets when errors are compared.
        compared_seeds: how many seeds each estimator gets beside those of shapiq.
        coverage_seeds: how many seeds the coverage of error bars is measured with.
        sequences: how many sequences are explained in bulk; a loop and timeshap get a part of them.
        alerts: how many alerts of each case the table of pruning tolerances is made of.
        kept: how many explanations are kept in each store.
        listed: how many records the lists have.
        games: which games estimators are measured on; empty for those that a study chooses.
    """

    repeats: int
    coalitions: int
    reference: int
    seconds: float
    bare_seconds: float
    calls: int
    seeds: int
    compared_seeds: int
    coverage_seeds: int
    sequences: int
    alerts: int
    kept: int
    listed: int
    games: tuple[str, ...] = ()


FULL = Effort(
    repeats=5,
    coalitions=32_768,
    reference=1 << 20,
    seconds=20.0,
    bare_seconds=1.0,
    calls=400,
    seeds=10,
    compared_seeds=5,
    coverage_seeds=200,
    sequences=5000,
    alerts=10,
    kept=100_000,
    listed=1_000_000,
)
QUICK = Effort(
    repeats=2,
    coalitions=2048,
    reference=1 << 15,
    seconds=3.0,
    bare_seconds=0.2,
    calls=50,
    seeds=2,
    compared_seeds=2,
    coverage_seeds=10,
    sequences=200,
    alerts=5,
    kept=2_000,
    listed=10_000,
)
