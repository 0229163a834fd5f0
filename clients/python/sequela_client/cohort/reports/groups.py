"""Groups of sequences: by a label, or by the displayed value of a feature at the latest event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# Groups of a grouping that is not numeric; the rest is put together.
MOST_GROUPS = 20
OTHERS = "(other values)"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How rows are grouped: SQL for the group's number, in order, and for its name, which is an aggregate."""

    order: str
    name: str


def group_value(cohort: Cohort, by: str) -> str:
    """SQL for the value by which rows are grouped.

    Args:
        cohort: the rows.
        by: the name of a label or of a feature; "label:NAME" or "feature:NAME" if there are both.

    Raises:
        NotInCohort: there is neither, or no displayed values.
        CallerError: there are both.
    """
    kind, _, rest = by.partition(":")
    if kind == "label" and rest:
        cohort.check_label(rest)
        return sql.label(rest)
    if kind == "feature" and rest:
        return _displayed(cohort, rest)
    labels, position = cohort.label_names(), cohort.database.position(by)
    if by in labels and position is not None:
        raise CallerError(f"by: {by!r} is a label and a feature; say 'label:{by}' or 'feature:{by}'")
    if by in labels:
        return sql.label(by)
    if position is not None:
        return _displayed(cohort, by)
    features = [each.name for each in cohort.database.features]
    raise NotInCohort(
        f"by: {by!r} is neither a label nor a feature; labels: {', '.join(labels) or 'none'}; "
        f"features: {', '.join(features) or 'none'}"
    )


def _displayed(cohort: Cohort, feature: str) -> str:
    position = cohort.database.position(feature)
    shown = cohort.value(f"SELECT count(event_values) FROM {cohort.explained}")
    if position is None or not shown:
        raise NotInCohort(f"by: the rows have no displayed values of a feature {feature!r}; group by a label")
    # The lists have the latest event first or last.
    first, last = "event_values[1]", "event_values[-1]"
    return (
        f"CASE WHEN {first}.t = 0 THEN {first}.values[{position}] "
        f"WHEN {last}.t = 0 THEN {last}.values[{position}] END"
    )


def grouping(cohort: Cohort, value: str, groups: int) -> Grouping:
    """Groups for these values.

    Numbers with more than `groups` different values become `groups` bins of about equal size. Other values are groups
    of their own: the most frequent ones, and one for all the rest.
    """
    values = f"(SELECT {value} AS value FROM {cohort.rows} WHERE status <> 'failed')"
    found = cohort.value(
        "SELECT {'different': count(DISTINCT value), 'numeric': coalesce(bool_and(isfinite(TRY_CAST(value AS DOUBLE))) "
        "AND count(TRY_CAST(value AS DOUBLE)) = count(value), false)} "
        f"FROM {values} WHERE value IS NOT NULL"
    )
    if found["numeric"] and found["different"] > groups:
        return _bins(cohort, values, value, groups)
    if found["numeric"]:
        return Grouping(f"TRY_CAST({value} AS DOUBLE)", "any_value(group_value)")
    if found["different"] <= MOST_GROUPS:
        return Grouping(value, "any_value(group_value)")
    frequent = cohort.values(
        f"SELECT value FROM {values} WHERE value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value "
        f"LIMIT {MOST_GROUPS - 1}"
    )
    kept = f"list_contains({sql.texts(frequent)}, {value})"
    # A NULL stays one: rows without a value are a group of their own. The rest sorts after all others.
    order = f"CASE WHEN {value} IS NOT NULL THEN if({kept}, '0' || {value}, '1') END"
    named = f"if(any_value(group_order) = '1', '{OTHERS}', any_value(group_value))"
    return Grouping(order, named)


def _bins(cohort: Cohort, values: sql.Relation, value: str, groups: int) -> Grouping:
    shares = ", ".join(f"{place / groups!r}::DOUBLE" for place in range(1, groups))
    edges = cohort.value(f"SELECT quantile_disc(TRY_CAST(value AS DOUBLE), [{shares}]) FROM {values}")
    number = f"TRY_CAST({value} AS DOUBLE)"
    above = " + ".join(f"CAST({number} > {edge!r}::DOUBLE AS INTEGER)" for edge in sorted(set(edges)))
    low, high = (f"{end}(TRY_CAST(group_value AS DOUBLE))" for end in ("min", "max"))
    return Grouping(
        above, f"if({low} = {high}, format('{{:g}}', {low}), format('{{:g}} to {{:g}}', {low}, {high}))"
    )
