"""Two-dimensional histograms, from which figures draw where attributions lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# Bins over the whole range of values: fine enough for a figure, whatever the number of sequences.
BINS = 81


def density(cohort: Cohort, values: sql.Relation, group: str) -> Any:
    """Counts of values in bins of equal width, by group.

    The bins span all values that there are, so that none is left out. 0 lies on the edge of two bins: a bin has
    attributions of one sign.

    Args:
        cohort: whose connection counts.
        values: rows with `group` and `value`.
        group: the column by which values are grouped.

    Returns:
        One row for each bin that is not empty: the group; bin, its number counted from 0, which is the first at or
        above 0; lower and upper, its edges; n, its values.
    """
    # A value of exactly 0 falls in the bin above; one that is all there is makes a width of 0, hence the NULLIF.
    return cohort.query(
        f"WITH chosen AS MATERIALIZED (SELECT {group}, value FROM {values} WHERE isfinite(value)), "
        f"width AS (SELECT coalesce(nullif((greatest(max(value), 0) - least(min(value), 0)) / {BINS - 1}, 0), 1) "
        "AS width FROM chosen) "
        f"SELECT {group}, bin, bin * any_value(width) AS lower, (bin + 1) * any_value(width) AS upper, "
        "count(*) AS n "
        f"FROM (SELECT {group}, CAST(floor(value / width) AS INTEGER) AS bin, width FROM chosen, width) "
        f"GROUP BY {group}, bin ORDER BY {group} DESC, bin"
    )
