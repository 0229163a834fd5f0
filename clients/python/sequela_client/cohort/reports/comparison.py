"""Compares two explanations of the same sequences: by two models or checkpoints, or against two backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.columns import numbers, with_numbers
from sequela_client.cohort.reports.levels import feature_values
from sequela_client.cohort.reports.significance import Moments, paired

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two cohorts on the sequences that both have explained.

    Args:
        summary: one row: n, the sequences in both; only_first and only_second, those explained in one;
            mean_score_first, mean_score_second, mean_score_difference (second − first) and its standard error over
            sequences; n_ranked, mean_rank_correlation, median_rank_correlation and p05_rank_correlation, of Spearman's
            rank correlation between the attributions of the common features within a sequence (null if all of them
            are equal); same_top_share, the share of sequences in which the same feature has the largest |attribution|
            (or one of those that share it).
        features: one row for each common feature, the largest |mean difference| first: feature, n, mean_first,
            mean_second, change (the mean difference, second − first), standard_error, statistic (paired t), p_value,
            p_adjusted (Holm), low, high (the 95 % interval of the change), mean_absolute_difference, sampling_error
            (the root mean square of the sampling errors of single differences), correlation (Pearson's, over
            sequences).
        only_first: features that only the first has.
        only_second: features that only the second has.
        names: what the two are called: their variants, or else their folders, and otherwise "first" and "second".
    """

    summary: Any
    features: Any
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    names: tuple[str, str] = ("first", "second")


def compare(first: Cohort, second: Cohort) -> Comparison:
    """Compares two cohorts on the same ids.

    Raises:
        NotInCohort: no sequence is in both, or they have no feature level.
    """
    players = tuple(map(feature_values, (first, second)))
    both = (
        "(SELECT id, feature, one.value AS first, two.value AS second, "
        "one.standard_error AS first_error, two.standard_error AS second_error "
        f"FROM {players[0]} AS one JOIN {players[1]} AS two USING (id, feature))"
    )
    if len(first) and len(second) and not first.value(f"SELECT count(*) FROM (SELECT 1 FROM {both} LIMIT 1)"):
        raise NotInCohort("the two cohorts have no sequence with the same id and the same features")
    names = [set(first.values(f"SELECT DISTINCT feature FROM {each}")) for each in players]
    return Comparison(
        summary=_summary(first, second, both),
        features=_features(first, both),
        only_first=tuple(sorted(names[0] - names[1])),
        only_second=tuple(sorted(names[1] - names[0])),
        names=names_of(first, second),
    )


def names_of(first: Cohort, second: Cohort) -> tuple[str, str]:
    """Returns the names of two cohorts: their variants, or else their folders, and otherwise "first" and "second"."""
    for name in (_variant_name, _folder_name):
        one, two = name(first), name(second)
        if one and two and one != two:
            return one, two
    return "first", "second"


def _variant_name(cohort: Cohort) -> str:
    found = cohort.variants()
    return str(found[0]) if len(found) == 1 else ""


def _folder_name(cohort: Cohort) -> str:
    return ", ".join(sorted({file.parent.name for file in cohort.database.files}))


def _features(cohort: Cohort, both: sql.Relation) -> Any:
    found = cohort.query(
        "SELECT feature, count(*) AS n, avg(first) AS mean_first, avg(second) AS mean_second, "
        "avg(second - first) AS mean, var_samp(second - first) AS variance, "
        "avg(abs(second - first)) AS mean_absolute_difference, "
        f"{sql.sampling_error('sqrt(pow(first_error, 2) + pow(second_error, 2))')} AS sampling_error, "
        # If one side does not vary, the correlation would be NaN.
        "CASE WHEN var_pop(first) > 0 AND var_pop(second) > 0 THEN corr(first, second) END AS correlation "
        f"FROM {both} GROUP BY feature ORDER BY abs(mean) DESC, feature"
    )
    test = paired(Moments(numbers(found, "n"), numbers(found, "mean"), numbers(found, "variance")))
    return with_numbers(
        found.select(["feature", "n", "mean_first", "mean_second"]),
        {
            "change": test.change,
            "standard_error": test.standard_error,
            "statistic": test.statistic,
            "p_value": test.p_value,
            "p_adjusted": test.p_adjusted,
            "low": test.low,
            "high": test.high,
            "mean_absolute_difference": numbers(found, "mean_absolute_difference"),
            "sampling_error": numbers(found, "sampling_error"),
            "correlation": numbers(found, "correlation"),
        },
    )


def _summary(first: Cohort, second: Cohort, both: sql.Relation) -> Any:
    one, two = first.explained, second.explained
    scores = (
        f"(SELECT one.score AS first, two.score AS second FROM {one} AS one JOIN {two} AS two USING (id))"
    )
    # Spearman's correlation with ties: equal attributions share the mean of their ranks.
    ranks = ", ".join(
        f"rank() OVER (PARTITION BY id ORDER BY {side}) + "
        f"(count(*) OVER (PARTITION BY id, {side}) - 1) / 2 AS {side}_rank"
        for side in ("first", "second")
    )
    tops = ", ".join(f"max(abs({side})) OVER (PARTITION BY id) AS top_{side}" for side in ("first", "second"))
    sequences = (
        "(SELECT CASE WHEN var_pop(first_rank) > 0 AND var_pop(second_rank) > 0 "
        "THEN corr(first_rank, second_rank) END AS correlation, "
        "bool_or(abs(first) = top_first AND abs(second) = top_second) AS same_top "
        f"FROM (SELECT *, {ranks}, {tops} FROM {both}) GROUP BY id)"
    )
    return first.query(
        "SELECT scores.*, ranked.*, "
        f"(SELECT count(*) FROM {one} AS one ANTI JOIN {two} AS two USING (id)) AS only_first, "
        f"(SELECT count(*) FROM {two} AS two ANTI JOIN {one} AS one USING (id)) AS only_second "
        "FROM (SELECT count(*) AS n, avg(first) AS mean_score_first, avg(second) AS mean_score_second, "
        "avg(second - first) AS mean_score_difference, "
        "stddev_samp(second - first) / sqrt(count(*)) AS mean_score_difference_standard_error "
        f"FROM {scores}) AS scores, "
        "(SELECT count(correlation) AS n_ranked, avg(correlation) AS mean_rank_correlation, "
        "median(correlation) AS median_rank_correlation, "
        "quantile_cont(correlation, 0.05::DOUBLE) AS p05_rank_correlation, "
        "count_if(same_top) / nullif(count(*), 0) AS same_top_share "
        f"FROM {sequences}) AS ranked"
    )
