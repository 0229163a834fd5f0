"""Attributions by index of the event, over all sequences (TimeSHAP §4.2, Figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql
from sequela_client.cohort.reports.density import density
from sequela_client.cohort.reports.levels import event_values

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


def event_distribution(cohort: Cohort, limit: int = 50) -> Any:
    """The distribution of the attributions at each index, from t = 0 back.

    A pruned event has no value of its own. So n falls towards older indices, and an average there is over the sequences
    in which that event was not pruned.

    Args:
        cohort: the rows.
        limit: how many indices; older ones are left out.

    Returns:
        One row for each index: t; n, the sequences with a value of their own there, and share, their share of all
        sequences whose event level was computed, which is 1 at t = 0; mean, spread (the standard deviation over
        sequences), standard_error (of the mean), p05, q25, median, q75, p95, minimum, maximum; sampling_error, the root
        mean square of the standard errors of the single attributions, which `spread` includes.
    """
    players = event_values(cohort)
    total = f"(SELECT count_if(len(events) > 0) FROM {cohort.explained})"
    return cohort.query(
        f"SELECT t, count(*) AS n, count(*) / {total} AS share, {sql.distribution('value')}, "
        f"{sql.sampling_error('standard_error')} AS sampling_error "
        f"FROM {players} WHERE t > {-int(limit)} GROUP BY t ORDER BY t DESC"
    )


def event_density(cohort: Cohort, limit: int = 50) -> Any:
    """How many sequences have which attribution at each index: t, bin, n, lower, upper (see `density`)."""
    chosen = f"(SELECT t, value FROM {event_values(cohort)} WHERE t > {-int(limit)})"
    return density(cohort, chosen, "t")


def latest_share(cohort: Cohort, minimum_difference: float = 0.01) -> Any:
    """The share of the latest event (t = 0) in the score, that is φ₀ / (f(X) − f(B)).

    TimeSHAP §4.2 reports 41 % and does not say how it was averaged, so both ways are given. The ratio of means gives a
    sequence the weight of its difference. The mean of ratios gives all sequences the same weight, and leaves out those
    whose difference is near 0, where a ratio means nothing. The median of the ratios depends least on them.

    Args:
        cohort: the rows.
        minimum_difference: the smallest |f(X) − f(B)| of a sequence whose own ratio is used.

    Returns:
        One row: n; mean_latest, the mean of φ₀; mean_difference, the mean of f(X) − f(B); ratio_of_means and its
        standard error over sequences (delta method); n_ratios, how many sequences have a ratio; mean_of_ratios and its
        standard error; median_of_ratios, q25_of_ratios, q75_of_ratios.
    """
    latest = f"(SELECT value, score - base_value AS difference FROM {event_values(cohort)} WHERE t = 0)"
    # The variance of mean(φ₀ − R·difference), with R the ratio of means.
    residual = (
        "var_samp(value) + pow(avg(value) / avg(difference), 2) * var_samp(difference) "
        "- 2 * avg(value) / avg(difference) * covar_samp(value, difference)"
    )
    smallest = sql.number("minimum_difference", minimum_difference)
    ratio = f"CASE WHEN abs(difference) >= {smallest} THEN value / difference END"
    # A ratio to a mean difference of 0 is NULL.
    return cohort.query(
        "SELECT count(*) AS n, avg(value) AS mean_latest, avg(difference) AS mean_difference, "
        "avg(value) / nullif(avg(difference), 0) AS ratio_of_means, "
        "CASE WHEN avg(difference) <> 0 THEN "
        f"sqrt(greatest({residual}, 0) / count(*)) / abs(avg(difference)) END AS ratio_of_means_standard_error, "
        "count(ratio) AS n_ratios, avg(ratio) AS mean_of_ratios, "
        "stddev_samp(ratio) / sqrt(count(ratio)) AS mean_of_ratios_standard_error, "
        "median(ratio) AS median_of_ratios, quantile_cont(ratio, 0.25::DOUBLE) AS q25_of_ratios, "
        "quantile_cont(ratio, 0.75::DOUBLE) AS q75_of_ratios "
        f"FROM (SELECT *, {ratio} AS ratio FROM {latest})"
    )
