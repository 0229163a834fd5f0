"""One explanation as one HTML file, which needs no network and no script, and which prints well."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sequela_client.extras import require
from sequela_client.pages.facts import (
    QUALITY_HEADS,
    READING,
    Fact,
    audit_facts,
    decision,
    head_facts,
    quality_rows,
)
from sequela_client.pages.figures import Section, sections
from sequela_client.pages.rows import Row, event_rows
from sequela_client.phrases import Phrases
from sequela_client.plots.style import EXTRA
from sequela_client.printable_text import printable
from sequela_client.summary import TIED, Part, RankedReason, summary

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class AlertPage:
    """What the template shows, in its order."""

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
    reading: tuple[str, ...] = READING


def alert_html(explanation: Explanation, target: str | None = None) -> str:
    """The page of one target; None takes the first one.

    Raises:
        KeyError: the target was not explained.
        OperatorError: the extra `report` is not installed.
    """
    # Control characters are not allowed in HTML.
    whole: Explanation = printable(explanation)
    shown = whole.target(target) if target is not None else whole
    return render("alert.html", page=alert_page(shown, whole))


def check_installed() -> None:
    """Raises OperatorError if the extra `report`, which pages need, is not installed."""
    require("jinja2", EXTRA)
    require("matplotlib", EXTRA)


def alert_page(shown: Explanation, whole: Explanation) -> AlertPage:
    """The contents of the page.

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
        sections=tuple(sections(shown, words, events)),
        quality=quality_rows(shown),
        scores=scores,
        audit=tuple(audit_facts(whole)),
    )


def _title(explanation: Explanation) -> str:
    target = explanation.targets[0]
    what = target.label or target.name
    return f"{what}: {explanation.caller_id}" if explanation.caller_id else what


def _warnings(explanation: Explanation) -> tuple[str, ...]:
    cut = ("The deadline ended the computation: the numbers are what was known by then.",)
    return (*(cut if explanation.cut_short else ()), *(each.message for each in explanation.warnings))


def render(template: str, **values: Any) -> str:
    """A template of this package as a page, with its style and a strict policy: no script, and no request."""
    jinja2 = require("jinja2", EXTRA)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sequela_client.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The policy names the hash of the element's content, so the style must not be changed in any way.
    style = (files("sequela_client.pages") / "templates" / "page.css").read_text(encoding="utf-8")
    page: str = environment.get_template(template).render(
        style=jinja2.utils.markupsafe.Markup(style), policy=policy(style), **values
    )
    return page


def policy(style: str) -> str:
    """The Content-Security-Policy of a page with this style element and images in it."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
