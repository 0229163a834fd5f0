"""Groups of sequences: by a label, or by the displayed value of a feature at the latest event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# The largest number of groups by texts. The least frequent ones are put together.
MOST_GROUPS = 20
OTHERS = "(other values)"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How rows are grouped: SQL for the order of a group, and for its name, which is an aggregate."""

    order: str
    name: str


def group_value(cohort: Cohort, by: str) -> str:
    """Returns SQL for the value by which rows are grouped.

    Args:
        cohort: the rows.
        by: the name of a label or of a feature; "label:NAME" or "feature:NAME" if both have this name.

    Raises:
        NotInCohort: there is no such label or feature, or there are no displayed values.
        CallerError: a label and a feature have this name.
    """
    kind, _, rest = by.partition(":")
    if kind == "label" and rest:
        cohort.check_label(rest)
        return sql.label(rest)
    if kind == "feature" and rest:
        return _displayed(cohort, rest)
    labels, position = cohort.label_names(), cohort.database.position(by)
    if by in labels and position is not None:
        raise CallerError(f"by: {by!r} is a label and a feature; write 'label:{by}' or 'feature:{by}'")
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
    # Lists of events may begin or end with the latest event.
    first, last = "event_values[1]", "event_values[-1]"
    return (
        f"CASE WHEN {first}.t = 0 THEN {first}.values[{position}] "
        f"WHEN {last}.t = 0 THEN {last}.values[{position}] END"
    )


def grouping(cohort: Cohort, value: str, groups: int) -> Grouping:
    """Returns groups for these values.

    Numbers with more than `groups` different values are put into `groups` bins of about equal size. Otherwise each
    value is a group; of many, the rarest are one group together.
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
    # Rows without a value (NULL) are a group of their own. The group of rare values comes after the others.
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
