"""Compares attributions and scores between two periods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.columns import numbers, with_numbers
from sequela_client.cohort.reports.levels import feature_values
from sequela_client.cohort.reports.periods import Period
from sequela_client.cohort.reports.significance import Moments, Numbers, welch
from sequela_client.errors import CallerError
from sequela_client.extras import require

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# The population stability index has ten bins, whose edges are deciles of the scores before.
PSI_BINS = 10
# Added to each count, since an empty bin would have no logarithm.
PSI_PSEUDOCOUNT = 0.5


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """The population stability index (PSI) of the scores: Σ (after − before) · ln(after / before) over shares in bins.

    Args:
        bins: one row for each bin: lower, upper (its edges), n_before, n_after, share_before, share_after,
            contribution. Half a sequence is added to each count for the shares.
        index: the PSI.
        by_chance: about what the PSI would be if nothing had changed, (bins − 1) · (1/n_before + 1/n_after). An index
            below twice this number may be chance.
    """

    bins: Any
    index: float
    by_chance: float


def periods(
    cohort: Cohort, by: str | None, before: str | None, after: str | None, later: Cohort | None = None
) -> tuple[Cohort, Cohort]:
    """Returns the rows before and the rows after.

    Args:
        cohort: the rows.
        by: a label; None for the time of the latest event.
        before: the label's value, or the period of time; see `Period.parse`.
        after: likewise. A label of exactly two values needs neither.
        later: the rows after, if they are in another cohort. The other arguments are then None.

    Raises:
        NotInCohort: there are no times, or no rows in a period.
        CallerError: a period is missing, or the two overlap.
    """
    if later is not None:
        _check_nothing_else(by, before, after)
        return cohort, later
    parted = _by_time(cohort, before, after) if by is None else _by_label(cohort, by, before, after)
    for name, rows in zip(("before", "after"), parted, strict=True):
        if not len(rows):
            raise NotInCohort(
                f"{name}: the cohort has no rows of this period{_times(cohort) if by is None else ''}"
            )
    return parted


def _check_nothing_else(*given: str | None) -> None:
    if any(each is not None for each in given):
        raise CallerError("by, before and after choose rows of one cohort, and cannot be combined with later")


def _by_time(cohort: Cohort, before: str | None, after: str | None) -> tuple[Cohort, Cohort]:
    if before is None or after is None:
        raise CallerError(
            "drift needs two periods: before='2026-01', after='2026-02', or the values of a label with by"
        )
    if len(cohort) and not cohort.value(f"SELECT count(time) FROM {cohort.rows}"):
        raise NotInCohort(
            "the rows have no times; run sequela explain-all with --time, or compare by a label"
        )
    first, second = Period.parse(before), Period.parse(after)
    # A row in both periods would make the two samples depend on each other.
    if first.first < second.end and second.first < first.end:
        raise CallerError(f"before and after overlap: {before!r} and {after!r}")
    return _with(cohort, first.condition), _with(cohort, second.condition)


def _with(cohort: Cohort, condition: str) -> Cohort:
    return replace(cohort, conditions=(*cohort.conditions, condition))


def _minute(end: str) -> str:
    """The first or the last time as text, in UTC whatever the time zone of this machine is."""
    return f"strftime(make_timestamp(epoch_us({end}(time))), '%Y-%m-%d %H:%M')"


def _times(cohort: Cohort) -> str:
    ends = cohort.value(f"SELECT {{'first': {_minute('min')}, 'last': {_minute('max')}}} FROM {cohort.rows}")
    return f"; its times go from {ends['first']} to {ends['last']} (UTC)"


def _by_label(cohort: Cohort, by: str, before: str | None, after: str | None) -> tuple[Cohort, Cohort]:
    cohort.check_label(by)
    if before is None or after is None:
        column = sql.label(by)
        known = cohort.values(
            f"SELECT DISTINCT {column} AS value FROM {cohort.rows} WHERE {column} IS NOT NULL ORDER BY value LIMIT 21"
        )
        # If the label has two values, the first in order is taken for before. Otherwise both must be named.
        if len(known) != 2 or (before, after) != (None, None):
            raise CallerError(
                f"drift by {by!r} needs before and after, two of its values: {', '.join(map(repr, known))}"
            )
        before, after = known
    if before == after:
        raise CallerError(f"before and after are the same value of {by!r}: {before!r}")
    return cohort.labelled(by, before), cohort.labelled(by, after)


def drift(before: Cohort, after: Cohort) -> Any:
    """Changes of the mean score and of the mean attribution of each feature.

    The test is Welch's: the two samples are independent, and may differ in size and in spread. Its standard errors are
    those over sequences, which include the sampling errors of the single explanations. If a sequence occurs in both
    periods, the samples are not independent, and the standard errors are only about right.

    With many features, some change by chance alone: p_adjusted is corrected for the number of features (Holm), so that
    the chance that any of those below 0.05 is false is at most 5 %. The score is tested by itself.

    Returns:
        One row for the score (kind "score"; of all rows that have a score), then one for each feature, the largest
        |statistic| first: kind, feature, n_before, n_after, mean_before, mean_after, sampling_error_before,
        sampling_error_after (the root mean square of the standard errors of single attributions; null for the score),
        change (after − before), standard_error, statistic (Welch's t), degrees (of freedom), p_value, p_adjusted, low,
        high (the 95 % interval of the change). Null where a period has fewer than two values, or no spread.
    """
    score, features = (_tested(before, _both(before, after, values)) for values in (_scores, feature_values))
    arrow_order = np.lexsort(
        (features["feature"].to_pylist(), -np.nan_to_num(abs(numbers(features, "statistic"))))
    )
    return _concatenated(score, features.take(arrow_order))


def _concatenated(first: Any, second: Any) -> Any:
    return require("pyarrow", extra="cohort").concat_tables([first, second])


def _scores(cohort: Cohort, score: str = sql.SCORE) -> sql.Relation:
    cohort.check_one_variant()
    return (
        f"(SELECT id, 'score' AS kind, 'score' AS feature, {score} AS value, NULL::DOUBLE AS standard_error "
        f"FROM {cohort.rows} WHERE status <> 'failed')"
    )


def _both(before: Cohort, after: Cohort, values: Any) -> sql.Relation:
    columns = "kind, feature, value, standard_error"
    return (
        f"(SELECT false AS after, {columns} FROM {values(before)} "
        f"UNION ALL SELECT true AS after, {columns} FROM {values(after)})"
    )


def _tested(cohort: Cohort, values: sql.Relation) -> Any:
    sides = ", ".join(
        f"count(value) FILTER ({side}) AS n_{name}, avg(value) FILTER ({side}) AS mean_{name}, "
        f"var_samp(value) FILTER ({side}) AS variance_{name}, "
        f"sqrt(avg(pow(standard_error, 2)) FILTER ({side})) AS sampling_error_{name}"
        for name, side in (("before", "NOT after"), ("after", "after"))
    )
    found = cohort.query(
        f"SELECT kind, feature, {sides} FROM {values} GROUP BY kind, feature ORDER BY feature"
    )
    test = welch(_moments(found, "before"), _moments(found, "after"))
    first = [
        *("kind", "feature", "n_before", "n_after", "mean_before", "mean_after"),
        *("sampling_error_before", "sampling_error_after"),
    ]
    return with_numbers(
        found.select(first),
        {
            "change": test.change,
            "standard_error": test.standard_error,
            "statistic": test.statistic,
            "degrees": test.degrees,
            "p_value": test.p_value,
            "p_adjusted": test.p_adjusted,
            "low": test.low,
            "high": test.high,
        },
    )


def _moments(table: Any, side: str) -> Moments:
    n, mean, variance = (numbers(table, f"{name}_{side}") for name in ("n", "mean", "variance"))
    return Moments(n, mean, variance)


def score_drift(before: Cohort, after: Cohort) -> ScoreDrift:
    """Computes the population stability index of the raw scores over the deciles of `before`."""
    shares = ", ".join(f"{place / PSI_BINS!r}::DOUBLE" for place in range(1, PSI_BINS))
    edges = (
        before.value(f"SELECT quantile_cont(value, [{shares}]) FROM {_scores(before, sql.RAW_SCORE)}") or []
    )
    # Where many scores are equal, deciles coincide, and bins would be empty by construction.
    inner = np.unique(np.array(edges, dtype=np.float64))
    first, second = (_counts(cohort, inner) for cohort in (before, after))
    share_before, share_after = (_shares(counts) for counts in (first, second))
    parts = (share_after - share_before) * np.log(share_after / share_before)
    arrow = require("pyarrow", extra="cohort")
    ends = [None, *inner.tolist(), None]
    bins = arrow.table(
        {
            "lower": arrow.array(ends[:-1], arrow.float64()),
            "upper": arrow.array(ends[1:], arrow.float64()),
            "n_before": first.astype(np.int64),
            "n_after": second.astype(np.int64),
            "share_before": share_before,
            "share_after": share_after,
            "contribution": parts,
        }
    )
    # A cohort without scores has no index.
    with np.errstate(divide="ignore", invalid="ignore"):
        by_chance = len(inner) * (1 / first.sum() + 1 / second.sum())
    index = float(parts.sum()) if first.sum() and second.sum() else float("nan")
    return ScoreDrift(bins, index, float(by_chance))


def _counts(cohort: Cohort, edges: Numbers) -> Numbers:
    """Returns the number of scores in each bin. A score on an edge belongs to the bin above it."""
    above = " + ".join(f"CAST(value >= {edge!r}::DOUBLE AS INTEGER)" for edge in edges.tolist()) or "0"
    scores = _scores(cohort, sql.RAW_SCORE)
    found = cohort.query(
        f"SELECT bin, count(*) AS n FROM (SELECT {above} AS bin FROM {scores} WHERE value IS NOT NULL) GROUP BY bin"
    )
    counts = np.zeros(len(edges) + 1)
    counts[found["bin"].to_pylist()] = found["n"].to_pylist()
    return counts


def _shares(counts: Numbers) -> Numbers:
    smoothed = counts + PSI_PSEUDOCOUNT
    shares: Numbers = smoothed / smoothed.sum()
    return shares
