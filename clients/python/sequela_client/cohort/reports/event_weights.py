"""Compares the model's own weights of events, such as attention, with the attributions of the events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql
from sequela_client.cohort.reports.levels import check_column, check_level

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# Two points always lie on a line, so their correlation would be 1 or -1 and mean nothing.
LEAST_EVENTS = 3
# Numbers that differ by less are equal but for rounding. A correlation of rounding errors would mean nothing.
_SAME = 1e-12


def has_event_weights(cohort: Cohort) -> bool:
    """Returns whether any of the explained sequences has weights of events."""
    return bool(cohort.value(f"SELECT count(event_weights) FROM {cohort.explained}"))


def event_weights(cohort: Cohort, limit: int = 50) -> Any:
    """Weights and attributions at each index, from t = 0 back, for each variant: a checkpoint, for example.

    Args:
        cohort: the rows.
        limit: how many indices; older ones are left out.

    Returns:
        One row for each variant and index: variant; t; n, the sequences with an event there; mean (of the weight),
        spread (the standard deviation over sequences), standard_error (of the mean); n_attributed, the sequences in
        which the event was not pruned; mean_absolute, the mean of |attribution| over them; correlation, Pearson's
        between weight and |attribution| over them. It is null where all weights or all attributions are the same.

    Raises:
        NotInCohort: the model has no weights of events, or the event level was not asked for.
    """
    return cohort.query(
        "SELECT variant, t, count(*) AS n, avg(weight) AS mean, stddev_samp(weight) AS spread, "
        "stddev_samp(weight) / sqrt(count(*)) AS standard_error, count(size) AS n_attributed, "
        f"avg(size) AS mean_absolute, {_correlation()} AS correlation "
        f"FROM {_weighted(cohort)} WHERE t > {-int(limit)} GROUP BY variant, t ORDER BY variant, t DESC"
    )


def event_weight_agreement(cohort: Cohort) -> Any:
    """How well weights and attributions agree within a sequence about which events matter, for each variant.

    A sequence's own correlation is Pearson's between weight and |attribution| over its unpruned events. Sequences with
    fewer than three of them, or in which all weights or all attributions are the same, have none.

    Returns:
        One row for each variant: variant; n, the sequences with a correlation; and of the correlations mean, spread,
        standard_error (of the mean), q25, median, q75.

    Raises:
        NotInCohort: as `event_weights`.
    """
    each = f"(SELECT variant, id, {_correlation()} AS value FROM {_weighted(cohort)} GROUP BY variant, id)"
    return cohort.query(
        "SELECT variant, count(value) AS n, avg(value) AS mean, stddev_samp(value) AS spread, "
        "stddev_samp(value) / sqrt(count(value)) AS standard_error, quantile_cont(value, 0.25::DOUBLE) AS q25, "
        "median(value) AS median, quantile_cont(value, 0.75::DOUBLE) AS q75 "
        f"FROM {each} GROUP BY variant ORDER BY variant"
    )


def _weighted(cohort: Cohort) -> sql.Relation:
    """One row for each event: variant, id, t, weight, size (the |attribution|; null for a pruned event)."""
    cohort.check_one_model()
    check_level(cohort, "events", "event")
    text = (
        "the rows have no weights of events; if the model has an output with them, name it as event_weights in "
        "schema.json"
    )
    check_column(cohort, cohort.explained, "event_weights", text, "EVENT_WEIGHTS_MISSING")
    # Both lists begin with the latest event. `events` is shorter, since it ends where the pruned events begin.
    return (
        "(SELECT variant, id, 1 - place AS t, event_weights[place] AS weight, abs(events[place].value) AS size "
        "FROM (SELECT variant, id, event_weights, events, unnest(range(1, len(event_weights) + 1)) AS place "
        f"FROM {cohort.explained} WHERE event_weights IS NOT NULL AND events IS NOT NULL))"
    )


def _correlation() -> str:
    weight = "weight) FILTER (size IS NOT NULL"
    return (
        f"CASE WHEN count(size) >= {LEAST_EVENTS} AND stddev_pop({weight}) > {_SAME} AND stddev_pop(size) > {_SAME} "
        "THEN corr(weight, size) END"
    )
