"""Counts attributions in two-dimensional histograms, from which figures are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# The number of bins over the whole range of values. A figure cannot show more.
BINS = 81


def density(cohort: Cohort, values: sql.Relation, group: str) -> Any:
    """Counts of values in bins of equal width, by group.

    The bins cover all values. 0 is the edge between two bins, so no bin has attributions of both signs.

    Args:
        cohort: the cohort whose database counts.
        values: rows with `group` and `value`.
        group: the column by which values are grouped.

    Returns:
        One row for each bin that is not empty: the group; bin, its number counted from 0, which is the first at or
        above 0; lower and upper, its edges; n, its values.
    """
    # If all values are 0, the width of a bin is 0 too, and NULLIF keeps the division from failing.
    return cohort.query(
        f"WITH chosen AS MATERIALIZED (SELECT {group}, value FROM {values} WHERE isfinite(value)), "
        f"width AS (SELECT coalesce(nullif((greatest(max(value), 0) - least(min(value), 0)) / {BINS - 1}, 0), 1) "
        "AS width FROM chosen) "
        f"SELECT {group}, bin, bin * any_value(width) AS lower, (bin + 1) * any_value(width) AS upper, "
        "count(*) AS n "
        f"FROM (SELECT {group}, CAST(floor(value / width) AS INTEGER) AS bin, width FROM chosen, width) "
        f"GROUP BY {group}, bin ORDER BY {group} DESC, bin"
    )
