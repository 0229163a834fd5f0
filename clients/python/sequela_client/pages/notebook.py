"""Shows answers in a notebook as small tables with bars, without scripts and other packages.

All text is escaped. Text and lines have the notebook's own colour, and bars can be seen in light and dark themes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from sequela_client.pages.facts import accuracy, decision
from sequela_client.pages.rows import Row, event_rows, feature_rows
from sequela_client.phrases import Phrases
from sequela_client.printable_text import printable
from sequela_client.summary import summary

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation
    from sequela_client.resources import Model, Scores

_DIGITS = 3
# The number of rows of each table, and of characters for the values of an event.
_ROWS = 8
_VALUE_LENGTH = 160
# These colours can be seen on white and on black.
_STYLE = """<style>
.sequela{font-size:13px;line-height:1.4;max-width:60em}
.sequela table{border-collapse:collapse;margin:.4em 0 .8em;font-size:inherit}
.sequela th,.sequela td{text-align:left;vertical-align:top;padding:.15em .8em .15em 0}
.sequela tr{border-bottom:1px solid rgba(128,128,128,.35);background:none}
.sequela caption{text-align:left;font-weight:600;caption-side:top;color:inherit;padding:.2em 0}
.sequela .n{white-space:nowrap;font-variant-numeric:tabular-nums}
.sequela svg{display:block;width:11em;height:1.2em}
.sequela .raises{fill:#c9660c}.sequela .lowers{fill:none;stroke:#8467c9;stroke-width:2}
.sequela .zero,.sequela .error{stroke:currentColor;stroke-width:1.3;fill:none}
.sequela .warning{border-left:3px solid #c9660c;padding-left:.6em}
</style>"""


def explanation_html(explanation: Explanation) -> str:
    """Shows the first target: its score, warnings, the strongest events and features, and their accuracy."""
    shown: Explanation = printable(explanation)
    words, told = Phrases(shown, _DIGITS), summary(shown)
    parts = [_title(told.headline), _paragraph(_about(shown))]
    if told.reasons:
        ranked = (
            f"{each.rank}{'=' if each.tied else '.'} {each.number} {each.text}" for each in told.reasons
        )
        parts.append("".join(map(_paragraph, ranked)))
    parts += [f'<p class="warning">{escape(each.message)}</p>' for each in shown.warnings]
    if rows := event_rows(shown, words):
        parts.append(
            _table("Events, latest first", ("event", "what"), rows, [_event_text(row) for row in rows])
        )
    if rows := feature_rows(shown, words):
        parts.append(
            _table("Features, strongest first", ("feature", "value"), rows, [row.text for row in rows])
        )
    if shown.explained:
        parts.append(_paragraph(f"Accuracy: {accuracy(shown)}. All of it: .to_frame(), .plot, .to_html()."))
    return _block(parts)


def model_html(model: Model) -> str:
    """Shows a model: its state, features and outputs."""
    shown: Model = printable(model)
    state = f"{shown.state} {shown.state_detail}".strip()
    features = [feature.label or feature.name for feature in shown.features]
    targets = [target.label or target.name for target in shown.targets]
    facts = {
        "state": state,
        "inputs": ", ".join(f"{each.name} ({each.role}, {each.width})" for each in shown.inputs),
        f"{len(features)} features": ", ".join(features),
        f"{len(targets)} outputs": ", ".join(targets),
        "link": shown.link,
        "digest": shown.digest,
    }
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in facts.items()
    ]
    warnings = [f'<p class="warning">{escape(each.message)}</p>' for each in shown.warnings]
    return _block([_title(shown.name), *warnings, f"<table>{''.join(rows)}</table>"])


def scores_html(scores: Scores) -> str:
    """Shows the first rows of the scores."""
    targets = [printable(name) for name in scores.targets]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("sequence", *targets))
    rows = [
        f'<tr><th scope="row">{number}</th>{"".join(f"<td class=n>{value:.6g}</td>" for value in row)}</tr>'
        for number, row in enumerate(scores.values[:_ROWS].tolist())
    ]
    more = len(scores.values) - len(rows)
    rest = [_paragraph(f"{more:,} more rows in .values")] if more > 0 else []
    return _block([f"<table><thead><tr>{head}</tr></thead>{''.join(rows)}</table>", *rest])


def _about(explanation: Explanation) -> str:
    told = [f"{explanation.length} events", explanation.model]
    told += [explanation.caller_id] if explanation.caller_id else []
    text = " · ".join(told)
    return f"{text}. {verdict}" if (verdict := decision(explanation)) else text


def _event_text(row: Row) -> str:
    """Returns the time of an event and its values. Those with an attribution of their own come first."""
    values = sorted(row.values, key=lambda value: not value.number)
    told = [*row.details[:1], row.text, *(f"{value.name} {value.text}" for value in values)]
    text = " · ".join(filter(None, told))
    return text if len(text) <= _VALUE_LENGTH else f"{text[:_VALUE_LENGTH]}…"


def _table(caption: str, heads: Sequence[str], rows: Sequence[Row], texts: Sequence[str]) -> str:
    """Returns the strongest rows, in their original order."""
    # Events are read in their order, so the strongest are chosen and then sorted back.
    kept = sorted(sorted(range(len(rows)), key=lambda at: -rows[at].bar.width)[:_ROWS])
    head = "".join(
        f'<th scope="col">{escape(each)}</th>' for each in (*heads, "attribution ± 95 %", "lowers | raises")
    )
    body = "".join(_row(rows[at], texts[at]) for at in kept)
    left_out = len(rows) - len(kept)
    more = f" ({left_out} weaker ones are not shown)" if left_out else ""
    title = f"<caption>{escape(caption + more)}</caption>"
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(row: Row, text: str) -> str:
    bar = row.bar
    error = (
        f'<path class="error" d="M{bar.low} 10H{bar.high}M{bar.low} 6v8M{bar.high} 6v8"/>'
        if bar.has_error
        else ""
    )
    drawing = (
        '<svg viewBox="0 0 200 20" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{bar.side}" x="{bar.start}" y="4" width="{bar.width}" height="12"/>{error}'
        f'<line class="zero" x1="{bar.zero}" x2="{bar.zero}" y1="0" y2="20"/></svg>'
    )
    return (
        f'<tr><th scope="row" class="n">{escape(row.name)}</th><td>{escape(text)}</td>'
        f'<td class="n">{escape(row.number)}</td><td>{drawing}</td></tr>'
    )


def _title(text: str) -> str:
    return f"<p><strong>{escape(text)}</strong></p>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _block(parts: Iterable[str]) -> str:
    return f'{_STYLE}<div class="sequela">{"".join(parts)}</div>'
