"""The routes of cohorts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from starlette.responses import Response

from sequela_console.api_route import ApiRoute, Question
from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.description import cards, description_of
from sequela_console.cohorts.event_spec import spec_of_text
from sequela_console.cohorts.event_table import bytes_of, event_table
from sequela_console.cohorts.variants import with_variants
from sequela_console.context import Console

Answer = Callable[[Console, Question, OpenCohort], Any]


def _about(answer: Answer) -> Callable[[Console, Question], Any]:
    """Opens the cohort that the path names."""

    @wraps(answer)
    def answered(console: Console, question: Question) -> Any:
        return answer(console, question, console.cohorts.cohort(question.path["cohort"]))

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


ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("GET", "/api/cohorts", _list),
    ApiRoute("GET", "/api/cohorts/{cohort}", _description),
    ApiRoute("GET", "/api/cohorts/{cohort}/event-table", _event_table),
)
