"""The document of a row of a cohort, which needs no service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sequela_client.alert_document.capabilities import Situation
from sequela_client.alert_document.document import build_document
from sequela_client.alert_document.material import read_material
from sequela_client.alert_document.parts import AlertDocument
from sequela_client.alert_document.threshold import AlertThreshold, alert_threshold
from sequela_client.cohort import schema

from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.description import threshold_of
from sequela_console.cohorts.row_explanation import explanation_of
from sequela_console.cohorts.variants import rows_of_variant
from sequela_console.http.errors import ApiError, not_found
from sequela_console.settings import ConsoleSettings

NO_SEQUENCE = (
    "The file of the cohort has only the events that were explained, "
    "so values are not compared with earlier ones."
)


def row_document(
    cohort: OpenCohort, number: int, variant: str | None, settings: ConsoleSettings
) -> AlertDocument:
    """Returns the document of a row.

    Raises:
        ApiError: 404, there is no such row; 409, it was not explained.
        CallerError: the row's number is in several variants, and none is named.
    """
    rows = rows_of_variant(cohort, variant)
    found = cohort.query(f"SELECT * FROM {rows.rows} WHERE row = ? LIMIT 1", (number,)).to_pylist()
    if not found:
        raise not_found("ROW_NOT_FOUND", f"the cohort {cohort.name!r} has no row {number}")
    row = found[0]
    _check_scored(row)
    explanation = explanation_of(cohort, row, _written(cohort))
    material = replace(
        read_material(explanation, 0, None, None, tuple(sorted(settings.fixed_features))),
        table_problem=NO_SEQUENCE,
    )
    situation = Situation(
        _threshold(cohort, explanation.labels, settings.thresholds),
        stored=False,
        online=False,
        may_explain=False,
    )
    source = {"kind": "cohort", "cohort": cohort.name, "row": number, "variant": row["variant"]}
    return build_document(material, situation, explanation.name.rpartition("/")[2], source)


def _check_scored(row: Mapping[str, Any]) -> None:
    """Raises ApiError (409) for a row without a score, of which a page could show nothing."""
    if row["score"] is not None and row["length"] is not None:
        return
    why = row["message"] or "its score is below the minimum of the run"
    if row["status"] == schema.BELOW_MINIMUM:
        why = "the run left it out, since its score is below the minimum or no prediction is positive"
    raise ApiError(409, "ROW_NOT_EXPLAINED", f"the sequence {row['id']!r} was not explained: {why}")


def _written(cohort: OpenCohort) -> datetime:
    return datetime.fromtimestamp(max(changed for _, _, changed in cohort.stamp) / 1e9, UTC)


def _threshold(
    cohort: OpenCohort, labels: Mapping[str, str], settings: Mapping[str, float]
) -> AlertThreshold:
    own = alert_threshold(labels, "", False, {})
    if own.value is not None:
        return own
    found = threshold_of(cohort, settings)
    return AlertThreshold(found["value"], found["source"])
