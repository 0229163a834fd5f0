"""Writes one explanation as one HTML file, which needs no network, and which prints well.

A script in it draws the explanation with the components of the console. Without scripts, the same numbers are there as
tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.extras import require
from sequela_client.pages.document import document_json
from sequela_client.pages.facts import (
    MARKS,
    QUALITY_HEADS,
    READING,
    Fact,
    audit_facts,
    decision,
    head_facts,
    quality_rows,
)
from sequela_client.pages.page import bundle_file, render, template_style
from sequela_client.pages.rows import Row, event_rows
from sequela_client.pages.sections import Section, sections
from sequela_client.phrases import Phrases
from sequela_client.plots.style import EXTRA
from sequela_client.printable_text import printable
from sequela_client.summary import TIED, Part, RankedReason, summary

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class AlertPage:
    """The contents of the page, in the order of the template."""

    title: str
    opening: str
    labels: str
    headline: str
    decision: str
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]
    parts: tuple[Part, ...]
    reasons: tuple[RankedReason, ...]
    tied: str
    events: tuple[Row, ...]
    static_values: tuple[Fact, ...]
    sections: tuple[Section, ...]
    quality: tuple[tuple[str, ...], ...]
    scores: tuple[tuple[str, str, str], ...]
    audit: tuple[Fact, ...]
    quality_heads: tuple[str, ...] = QUALITY_HEADS
    marks: str = MARKS
    reading: tuple[str, ...] = READING


def alert_html(explanation: Explanation, target: str | None = None) -> str:
    """Returns the page of one target; None takes the first one.

    Raises:
        KeyError: the target was not explained.
        CallerError: the extra `report` is not installed.
    """
    # Control characters are not allowed in HTML.
    whole: Explanation = printable(explanation)
    # Scores are shown for all targets, everything else for one.
    shown = whole.target(target) if target is not None else whole
    style = bundle_file("report.css") + template_style("alert")
    return render(
        "alert", style, bundle_file("report.js"), page=alert_page(shown, whole), document=document_json(shown)
    )


def check_installed() -> None:
    """Raises OperatorError if the extra `report`, which pages need, is not installed."""
    require("jinja2", EXTRA)


def alert_page(shown: Explanation, whole: Explanation) -> AlertPage:
    """Collects the contents of the page.

    Args:
        shown: the explanation of the target that the page is about.
        whole: the explanation of all targets.
    """
    words, told = Phrases(shown, _DIGITS), summary(shown)
    events = event_rows(shown, words)
    statics = tuple(Fact(words.feature(name), words.value(0, name)) for name in shown.static_values)
    scores = tuple(
        (each.label or each.name, f"{each.score:.4g}", f"{each.base_value:.4g}") for each in whole.targets
    )
    return AlertPage(
        title=_title(shown),
        opening=told.opening,
        labels=told.labels,
        headline=told.headline,
        decision=decision(shown),
        facts=head_facts(shown, words),
        warnings=_warnings(shown),
        parts=told.parts,
        reasons=told.reasons,
        tied=TIED if any(each.tied for each in told.reasons) else "",
        events=events,
        static_values=statics,
        sections=tuple(sections(shown, words)),
        quality=quality_rows(shown),
        scores=scores,
        audit=tuple(audit_facts(whole)),
    )


def _title(explanation: Explanation) -> str:
    target = explanation.targets[0]
    what = target.label or target.name
    return f"{what}: {explanation.caller_id}" if explanation.caller_id else what


def _warnings(explanation: Explanation) -> tuple[str, ...]:
    # A deadline concerns all numbers, so it comes before the model's warnings.
    cut = ("The deadline ended the computation. The numbers are those that were known by then.",)
    return (*(cut if explanation.cut_short else ()), *(each.message for each in explanation.warnings))
