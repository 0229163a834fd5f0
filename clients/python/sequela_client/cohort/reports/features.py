"""Attributions by feature, over all sequences (TimeSHAP §4.2, Figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql
from sequela_client.cohort.reports.density import density
from sequela_client.cohort.reports.levels import feature_values
from sequela_client.extras import require

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# Attributions up to this size are 0 except for rounding, since games are solved in double precision.
ZERO = 1e-9

# By chance alone, an attribution of 0 is more than two standard errors away from 0 in this share of sequences.
BY_CHANCE = 0.05


def feature_distribution(cohort: Cohort, threshold: float = 0.01) -> Any:
    """The distribution of the attributions of each feature.

    Args:
        cohort: the rows.
        threshold: features with |mean| above it come first; the paper's figure shows only those.

    Returns:
        One row for each feature, the largest |mean| first: kind ("feature", or "static" for all static inputs
        together), feature; n, the sequences that have it; mean, spread (the standard deviation over sequences),
        standard_error (of the mean), p05, q25, median, q75, p95, minimum, maximum; mean_absolute, the mean of
        |attribution|; sampling_error, the root mean square of the standard errors of the single attributions;
        above_threshold.
    """
    return cohort.query(
        f"SELECT kind, feature, count(*) AS n, {sql.distribution('value')}, avg(abs(value)) AS mean_absolute, "
        f"{sql.sampling_error('standard_error')} AS sampling_error, "
        f"abs(avg(value)) > {sql.number('threshold', threshold)} AS above_threshold "
        f"FROM {feature_values(cohort)} GROUP BY kind, feature ORDER BY abs(mean) DESC, feature"
    )


def feature_density(cohort: Cohort) -> Any:
    """Counts the attributions of each feature in bins: feature, bin, lower, upper, n (see `density`)."""
    return density(cohort, feature_values(cohort), "feature")


def constant_features(cohort: Cohort) -> Any:
    """Features that contribute nothing. TimeSHAP §4.2 found two of them.

    The model may not use such a feature, or its value may be the same everywhere or equal that of the background.

    Returns:
        One row for each such feature: feature; n; largest, the largest |attribution|; beyond, the share of sequences in
        which |attribution| exceeds two standard errors; finding, why it is listed: "zero" (0 in every sequence),
        "within_error" (within two standard errors of 0 in every sequence) or "by_chance" (beyond them in at most 5 % of
        the sequences, as an attribution of 0 would be, and the mean is within two standard errors of 0);
        distinct_values, how many different values the unpruned events of all sequences show (null if the rows have no
        displayed values): 1 means that the data never change.
    """
    found = cohort.query(
        f"SELECT feature, count(*) AS n, max(abs(value)) AS largest, "
        "count_if(abs(value) > 2 * standard_error + limits.zero) / count(*) AS beyond, "
        "CASE WHEN largest <= any_value(limits.zero) THEN 'zero' WHEN beyond = 0 THEN 'within_error' "
        f"WHEN beyond <= {BY_CHANCE} AND abs(avg(value)) <= 2 * sqrt(sum(pow(standard_error, 2))) / count(*) "
        "THEN 'by_chance' END AS finding "
        f"FROM {feature_values(cohort)}, (SELECT {ZERO}::DOUBLE AS zero) AS limits "
        "GROUP BY feature HAVING finding IS NOT NULL ORDER BY feature"
    )
    distinct = [distinct_values(cohort, name) for name in found["feature"].to_pylist()]
    arrow = require("pyarrow", extra="cohort")
    return found.append_column("distinct_values", arrow.array(distinct, arrow.int64()))


def distinct_values(cohort: Cohort, feature: str) -> int | None:
    """Returns how many different displayed values a feature has; None if the rows have no displayed values."""
    position = cohort.database.position(feature)
    if position is None:
        return None
    count = cohort.value(
        f"SELECT count(DISTINCT event.values[{position}]) "
        f"FROM (SELECT unnest(event_values) AS event FROM {cohort.explained})"
    )
    return int(count) or None
