"""Returns the attributions of a level as SQL, with one attribution in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


def check_column(cohort: Cohort, rows: sql.Relation, column: str, text: str, reason: str) -> None:
    """Raises NotInCohort with this text if there are rows and none has a value in the column."""
    found = cohort.value(f"SELECT {{'rows': count(*), 'known': count({column})}} FROM {rows}")
    if found["rows"] and not found["known"]:
        raise NotInCohort(text, reason=reason)


def check_level(cohort: Cohort, column: str, level: str) -> None:
    """Raises NotInCohort if there are explained rows and none has the level."""
    text = f"no row has attributions of the {level} level; run sequela explain-all with --level {level}"
    check_column(cohort, cohort.explained, column, text, "LEVEL_MISSING")


def event_values(cohort: Cohort) -> sql.Relation:
    """One row for each unpruned event: id, t, value, standard_error, and the row's score and base value."""
    cohort.check_one_variant()
    check_level(cohort, "events", "event")
    return (
        "(SELECT id, score, base_value, event.t AS t, event.value AS value, "
        "event.standard_error AS standard_error "
        f"FROM (SELECT id, score, base_value, unnest(events) AS event FROM {cohort.explained}))"
    )


def feature_values(cohort: Cohort) -> sql.Relation:
    """One row for each feature of each sequence: id, kind, feature, value, standard_error.

    kind is "feature", or "static" for all static inputs together, which are one player.
    """
    cohort.check_one_variant()
    check_level(cohort, "features", "feature")
    explained = cohort.explained
    return (
        "(SELECT id, 'feature' AS kind, player.feature AS feature, player.value AS value, "
        "player.standard_error AS standard_error "
        f"FROM (SELECT id, unnest(features) AS player FROM {explained}) "
        "UNION ALL "
        "SELECT id, 'static' AS kind, 'static inputs' AS feature, static_value AS value, "
        f"static_standard_error AS standard_error FROM {explained} "
        "WHERE static_value IS NOT NULL AND features IS NOT NULL)"
    )
