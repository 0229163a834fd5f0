"""Where the first positive prediction of each sequence is (TimeSHAP §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequela_client.cohort.reports.levels import check_column

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


def first_positive(cohort: Cohort) -> Any:
    """Counts the sequences by the index of their first positive prediction in the full sequence.

    Failed rows are left out, since their predictions are unknown.

    Returns:
        One row for each index that occurs, the latest first: t (0 is the last event of the full sequence; null if no
        prediction is positive, in the last row), n, share, cumulative_share (of this row and those above).

    Raises:
        NotInCohort: the run did not look for first positive predictions.
    """
    cohort.check_one_variant()
    _check_asked(cohort)
    return cohort.query(
        "SELECT t, n, n / sum(n) OVER () AS share, "
        "sum(n) OVER (ORDER BY t DESC NULLS LAST ROWS UNBOUNDED PRECEDING) / sum(n) OVER () AS cumulative_share "
        "FROM (SELECT first_positive AS t, count(*) AS n "
        f"FROM {cohort.rows} WHERE status <> 'failed' GROUP BY first_positive) ORDER BY t DESC NULLS LAST"
    )


def first_positive_summary(cohort: Cohort) -> Any:
    """One row: n, n_positive (sequences with a positive prediction), share_positive, and of their t mean and median;
    median_events, how many events such a sequence has up to its first positive prediction.
    """
    cohort.check_one_variant()
    _check_asked(cohort)
    return cohort.query(
        "SELECT count(*) AS n, count(first_positive) AS n_positive, "
        "count(first_positive) / nullif(count(*), 0) AS share_positive, avg(first_positive) AS mean_t, "
        "median(first_positive) AS median_t, median(full_length + first_positive) AS median_events "
        f"FROM {cohort.rows} WHERE status <> 'failed'"
    )


def _check_asked(cohort: Cohort) -> None:
    if cohort.database.question.get("first_positive") is not None:
        return
    text = (
        "the rows do not say where the first positive prediction is; run sequela explain-all with "
        "--first-positive THRESHOLD"
    )
    not_failed = f"(SELECT first_positive FROM {cohort.rows} WHERE status <> 'failed')"
    check_column(cohort, not_failed, "first_positive", text, "FIRST_POSITIVE_MISSING")
