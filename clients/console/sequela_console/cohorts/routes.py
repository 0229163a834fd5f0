"""The routes of cohorts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

import duckdb
from sequela_client.cohort.dataset import Cohort
from starlette.responses import Response

from sequela_console.api_route import ApiRoute, Question
from sequela_console.cohort_files.catalogue import unreadable
from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.density import DensityData, event_density, feature_density
from sequela_console.cohorts.description import cards, description_of
from sequela_console.cohorts.event_spec import spec_of_text
from sequela_console.cohorts.event_table import bytes_of, event_table
from sequela_console.cohorts.figure_choices import FigureChoices, choices_of
from sequela_console.cohorts.figures import comparison, figure
from sequela_console.cohorts.members import members_page
from sequela_console.cohorts.row_document import row_document
from sequela_console.cohorts.variants import rows_of_variant, with_variants
from sequela_console.context import Console
from sequela_console.http.errors import not_found
from sequela_console.state.trail import record_once

# Strips of counts and some thousand dots.
DENSITY_BYTES = 200_000
# Of the number of a row, which is below 2^63.
MOST_DIGITS = 19

Answer = Callable[[Console, Question, OpenCohort], Any]


def _about(answer: Answer) -> Callable[[Console, Question], Any]:
    """Opens the cohort that the path names."""

    @wraps(answer)
    def answered(console: Console, question: Question) -> Any:
        cohort = console.cohorts.cohort(question.path["cohort"])
        try:
            return answer(console, question, cohort)
        except (OSError, duckdb.IOException) as error:
            # Its files were replaced or removed after it was opened.
            raise unreadable(cohort.name) from error

    return answered


def _list(console: Console, _: Question) -> Any:
    return cards(console.cohorts)


@_about
def _description(console: Console, _: Question, cohort: OpenCohort) -> Any:
    return description_of(cohort, console.settings.thresholds)


@_about
def _event_table(_: Console, question: Question, cohort: OpenCohort) -> Any:
    spec = with_variants(cohort, spec_of_text(question.query.get("spec", "")))
    return Response(bytes_of(event_table(cohort, spec)), media_type="application/octet-stream")


@_about
def _figure(console: Console, question: Question, cohort: OpenCohort) -> Any:
    choices, name = choices_of(question.query), question.path["figure"]
    if name != "comparison":
        return figure(cohort, name, choices)
    other = console.cohorts.cohort(question.query.get("other", cohort.name))
    variant = question.query.get("other_variant")
    if other is cohort:
        return comparison(rows_of_variant(cohort, choices.variant), rows_of_variant(cohort, variant))
    with console.cohorts.both(cohort.name, other.name) as (first, second):
        return comparison(rows_of_variant(first, choices.variant), rows_of_variant(second, variant))


@_about
def _density(_: Console, question: Question, cohort: OpenCohort) -> Any:
    choices = choices_of(question.query)
    rows = rows_of_variant(cohort, choices.variant)
    of = question.path["of"]
    if of not in _DENSITIES:
        raise not_found(
            "FIGURE_NOT_FOUND", f"there is no density of {of[:80]!r}; there is events and features"
        )
    return cohort.cache.get(
        ("density", of, choices), lambda: _DENSITIES[of](cohort, rows, choices), lambda _: DENSITY_BYTES
    )


_DENSITIES: Mapping[str, Callable[[OpenCohort, Cohort, FigureChoices], DensityData]] = {
    "events": lambda cohort, rows, choices: event_density(cohort, rows, choices.limit),
    "features": lambda cohort, rows, _: feature_density(cohort, rows),
}


@_about
def _members(console: Console, question: Question, cohort: OpenCohort) -> Any:
    page = members_page(cohort, question.body)
    known = _known_alerts(console, [each.alert for each in page.rows if each.alert])
    rows = tuple(each if each.alert in known else replace(each, alert=None) for each in page.rows)
    return replace(page, rows=rows)


def _known_alerts(console: Console, ids: list[str]) -> frozenset[str]:
    """Returns those of the ids that the index of alerts has."""
    places = ", ".join("?" * len(ids))
    found = console.state.read.execute(f"SELECT id FROM alert WHERE id IN ({places})", ids)
    return frozenset(each["id"] for each in found)


@_about
def _row(console: Console, question: Question, cohort: OpenCohort) -> Any:
    text = question.path["row"]
    if not (text.isascii() and text.isdigit() and len(text) < MOST_DIGITS):
        raise not_found("ROW_NOT_FOUND", f"{text[:80]!r} is not the number of a row")
    found = row_document(cohort, int(text), question.query.get("variant"), console.settings)
    record_once(console.state, "", "opened", question.visitor, f"row {int(text)} of the cohort {cohort.name}")
    return found


ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("GET", "/api/cohorts", _list),
    ApiRoute("GET", "/api/cohorts/{cohort}", _description),
    ApiRoute("GET", "/api/cohorts/{cohort}/event-table", _event_table),
    ApiRoute("GET", "/api/cohorts/{cohort}/figures/{figure}", _figure),
    ApiRoute("GET", "/api/cohorts/{cohort}/density/{of}", _density),
    ApiRoute("POST", "/api/cohorts/{cohort}/members", _members),
    ApiRoute("GET", "/api/cohorts/{cohort}/rows/{row}", _row),
)
