"""Compares groups of sequences: a feature's attribution, and how often the model is wrong (TimeSHAP §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.columns import numbers, with_counts, with_numbers
from sequela_client.cohort.reports.groups import group_value, grouping
from sequela_client.cohort.reports.levels import feature_values
from sequela_client.cohort.reports.significance import mean_interval, wilson
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

COLUMNS = [
    *("group", "n", "n_explained", "mean", "spread", "standard_error", "low", "high", "sampling_error"),
    *("mean_score", "positives", "positive_rate", "positive_rate_low", "positive_rate_high"),
    *("negatives", "false_positives"),
    *("false_positive_rate", "false_positive_rate_low", "false_positive_rate_high"),
]


def fairness(
    cohort: Cohort,
    feature: str,
    by: str,
    threshold: float = 0.5,
    outcome: str | None = None,
    groups: int = 5,
) -> Any:
    """The attribution of a feature by group, with the rates of positive predictions and of false positives.

    A prediction is positive if the raw score, the model's own output, is at least the threshold; a link such as logit
    changes attributions, and not what is positive. A sequence below the minimum score counts as negative, even if its
    score is unknown. Rates are about the rows of this cohort. If these are alerts, the rates are
    not those of the model in production.

    Args:
        cohort: the rows.
        feature: the feature whose attribution is compared.
        by: a label, or a feature (its displayed value at the latest event); see `groups.group_value`. Numbers are put
            into bins of about equal size.
        threshold: the raw score from which a prediction is positive.
        outcome: the label that says what really happened, and its positive value: "fraud=1". Without it there are no
            false positive rates.
        groups: the number of bins.

    Returns:
        One row for each group, in order: group (null: rows without a value); n; n_explained, the sequences with an
        attribution; mean, spread, standard_error, low, high (the 95 % interval of the mean over sequences, by Student's
        t), sampling_error (the root mean square of the standard errors of single attributions); mean_score (of
        raw scores); positives,
        positive_rate, positive_rate_low, positive_rate_high; negatives (sequences whose outcome is not positive),
        false_positives, false_positive_rate, false_positive_rate_low, false_positive_rate_high. Intervals of rates are
        Wilson's, 95 %. Without `outcome`, the last five are null.

    Raises:
        NotInCohort: there is no such feature, group or outcome.
    """
    if groups < 2:
        raise CallerError(f"groups: {groups!r} is not allowed; it is at least 2")
    players = feature_values(cohort)
    _check_feature(cohort, players, feature)
    value = group_value(cohort, by)
    chosen = grouping(cohort, value, groups)
    # A score that is unknown because it was below the minimum is known to be negative.
    positive = (
        f"coalesce(({sql.RAW_SCORE}) >= {sql.number('threshold', threshold)}, "
        "CASE WHEN status = 'below_minimum' THEN false END)"
    )
    table = cohort.query(
        f'SELECT {chosen.name} AS "group", count(*) AS n, count(value) AS n_explained, '
        "avg(value) AS mean, stddev_samp(value) AS spread, "
        "stddev_samp(value) / sqrt(count(value)) AS standard_error, "
        f"{sql.sampling_error('standard_error')} AS sampling_error, avg(score) AS mean_score, "
        "CAST(count_if(positive) AS BIGINT) AS positives, "
        "count_if(positive) / nullif(count(positive), 0) AS positive_rate, "
        "count(positive) AS n_decided, count_if(NOT actual AND positive IS NOT NULL) AS negatives, "
        "count_if(NOT actual AND positive) AS false_positives "
        f"FROM (SELECT id, {value} AS group_value, {chosen.order} AS group_order, {sql.RAW_SCORE} AS score, "
        f"{positive} AS positive, {_actual(cohort, outcome)} AS actual "
        f"FROM {cohort.rows} WHERE status <> 'failed') "
        # Sequences without an attribution still count for the rates.
        f"LEFT JOIN (SELECT id, value, standard_error FROM {players} WHERE feature = {sql.text(feature)}) USING (id) "
        "GROUP BY group_order ORDER BY group_order NULLS LAST"
    )
    return _with_intervals(table, outcome is not None)


def _check_feature(cohort: Cohort, players: sql.Relation, feature: str) -> None:
    known = cohort.values(f"SELECT DISTINCT feature FROM {players} ORDER BY feature")
    if known and feature not in known:
        raise NotInCohort(
            f"feature: no row has an attribution of {feature!r}; features are {', '.join(known)}"
        )


def _actual(cohort: Cohort, outcome: str | None) -> str:
    """Returns SQL for whether the outcome is positive; NULL if it is unknown."""
    if outcome is None:
        return "NULL::BOOLEAN"
    name, separator, positive = outcome.partition("=")
    if not separator:
        raise CallerError(
            f"outcome: {outcome!r} is not of the form LABEL=VALUE, where VALUE is the positive one"
        )
    cohort.check_label(name)
    known = cohort.values(
        f"SELECT DISTINCT {sql.label(name)} AS value FROM {cohort.rows} ORDER BY value LIMIT 21"
    )
    if known and positive not in known:
        values = ", ".join(repr(each) for each in known if each is not None)
        raise NotInCohort(f"outcome: no row has {name}={positive}; its values are {values}")
    return f"{sql.label(name)} = {sql.text(positive)}"


def _with_intervals(table: Any, with_outcome: bool) -> Any:
    low, high = mean_interval(
        numbers(table, "n_explained"), numbers(table, "mean"), numbers(table, "standard_error")
    )
    rate_low, rate_high = wilson(numbers(table, "positives"), numbers(table, "n_decided"))
    negatives, wrong = numbers(table, "negatives"), numbers(table, "false_positives")
    if not with_outcome:
        negatives, wrong = negatives * float("nan"), wrong * float("nan")
    wrong_low, wrong_high = wilson(wrong, negatives)
    rate = wrong / np.where(negatives > 0, negatives, np.nan)
    table = with_numbers(
        table.drop_columns(["negatives", "false_positives"]),
        {
            "low": low,
            "high": high,
            "positive_rate_low": rate_low,
            "positive_rate_high": rate_high,
            "false_positive_rate": rate,
            "false_positive_rate_low": wrong_low,
            "false_positive_rate_high": wrong_high,
        },
    )
    return with_counts(table, {"negatives": negatives, "false_positives": wrong}).select(COLUMNS)
