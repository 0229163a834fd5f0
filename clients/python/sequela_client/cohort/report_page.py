"""The report on a cohort as one HTML file: no scripts, no outside requests, everything escaped."""

from __future__ import annotations

import base64
import json
import warnings
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING, Any

from sequela_client.cohort import texts
from sequela_client.cohort.cells import upright
from sequela_client.cohort.sections import ASKED, ReportChoices, check, sections
from sequela_client.cohort.summary import sentences
from sequela_client.extras import require
from sequela_client.plots.style import data_uri, svg

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from sequela_client.cohort.dataset import Cohort

__all__ = ["ReportChoices", "report_html"]


def report_html(cohort: Cohort, choices: ReportChoices, note: Callable[[str], None] = lambda _: None) -> str:
    """The page.

    Args:
        cohort: the rows, of one variant.
        choices: what it shows.
        note: is told about each section that was asked for and cannot be shown.

    Raises:
        CallerError: the cohort has several variants and none was chosen, or the choices do not fit it.
        OperatorError: jinja2 or matplotlib is not installed.
    """
    check(choices)
    folder = resources.files("sequela_client.cohort")
    style = (folder / "report.css").read_text("utf-8")
    template = (folder / "report.html.j2").read_text("utf-8")
    # Jinja's own escaping is off by default.
    environment = require("jinja2", "report").Environment(
        autoescape=True,
        undefined=require("jinja2", "report").StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = list(sections(cohort, choices))
    for each in found:
        if each.missing and each.name in ASKED:
            note(f"the section {each.title!r} is empty: {each.missing}")
    page: str = environment.from_string(template).render(
        title=choices.title,
        style=style,
        policy=policy(style),
        summary=sentences(cohort),
        introduction=texts.INTRODUCTION,
        sections=[(each, _source(each.figure) if each.figure else "") for each in found],
        provenance=upright(cohort.provenance(), "Model and background"),
        facts=_facts(cohort),
    )
    return page


def _source(figure: Figure) -> str:
    """The figure as the source of an image."""
    with warnings.catch_warnings():
        # The SVG has texts as texts: a browser has the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        return data_uri(svg(figure))


def policy(style: str) -> str:
    """The content security policy of a page whose one style element has this text."""
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _facts(cohort: Cohort) -> list[tuple[str, str]]:
    database = cohort.database
    facts: list[tuple[str, Any]] = [
        ("target", database.target),
        ("written by Sequela", database.version),
        ("files", ", ".join(sorted({str(file.parent) for file in database.files}))),
        ("rows chosen by", "; ".join((*cohort.variant_parts, *cohort.conditions)) or "nothing: all rows"),
        # What was not asked for is left out.
        *((name, value) for name, value in database.question.items() if value not in (None, [], {}, "")),
    ]
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in facts
    ]
