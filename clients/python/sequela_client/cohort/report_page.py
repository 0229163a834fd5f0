"""Writes the report on a cohort as one HTML file, without scripts and network requests; all text is escaped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sequela_client.cohort import texts
from sequela_client.cohort.cells import upright
from sequela_client.cohort.report_tables import ReportChoices, check
from sequela_client.cohort.sections import ASKED, sections
from sequela_client.cohort.summary import sentences
from sequela_client.pages.page import render, template_style
from sequela_client.plots.style import data_uri, svg

if TYPE_CHECKING:
    from collections.abc import Callable

    from sequela_client.cohort.dataset import Cohort

__all__ = ["ReportChoices", "report_html"]


def report_html(cohort: Cohort, choices: ReportChoices, note: Callable[[str], None] = lambda _: None) -> str:
    """Returns the page.

    Args:
        cohort: the rows of one variant.
        choices: what the report shows.
        note: called with a sentence about each section that was asked for but cannot be shown.

    Raises:
        CallerError: the cohort has several variants and none was chosen, or the choices do not fit it.
        CallerError: jinja2 or matplotlib is not installed.
    """
    check(choices)
    # All sections are made before the page, so that an error leaves no half-written file.
    found = list(sections(cohort, choices))
    for each in found:
        if each.missing and each.name in ASKED:
            note(f"the section {each.title!r} is empty: {each.missing}")
    return render(
        "cohort_report",
        template_style("cohort_report"),
        title=choices.title,
        summary=sentences(cohort),
        introduction=texts.INTRODUCTION,
        sections=[(each, data_uri(svg(each.figure)) if each.figure else "") for each in found],
        provenance=upright(cohort.provenance(), "Model and background"),
        facts=_facts(cohort),
    )


def _facts(cohort: Cohort) -> list[tuple[str, str]]:
    database = cohort.database
    facts: list[tuple[str, Any]] = [
        ("target", database.target),
        ("written by Sequela", database.version),
        ("files", ", ".join(sorted({str(file.parent) for file in database.files}))),
        ("rows chosen by", "; ".join((*cohort.variant_parts, *cohort.conditions)) or "nothing: all rows"),
        # Options that were not given would only take up room.
        *((name, value) for name, value in database.question.items() if value not in (None, [], {}, "")),
    ]
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in facts
    ]
