"""Summarises a cohort: in one line for a terminal, and in a few lines of HTML for a notebook."""

from __future__ import annotations

from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING

from sequela_client.cohort.summary import sentences
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# The line names at most this many variants. If there are more, it only says how many.
_NAMED = 3


def card(cohort: Cohort) -> str:
    """Returns the HTML for a notebook. If no variant was chosen, it lists those that there are."""
    items = "".join(f"<li>{escape(line)}</li>" for line in _lines(cohort))
    target = escape(cohort.database.target)
    return f"<div><strong>Cohort</strong>{f', target {target}' if target else ''}<ul>{items}</ul></div>"


def line(cohort: Cohort) -> str:
    """Returns the line for a terminal: numbers of rows, the model and the variants, without the folders."""
    counts = {row["status"]: row["n"] for row in cohort.statuses().to_pylist()}
    told = [f"{sum(counts.values()):,} rows", f"{counts.get('explained', 0):,} explained"]
    if below := counts.get("below_minimum", 0):
        told.append(f"{below:,} below the minimum")
    told.append(f"{counts.get('failed', 0):,} failed")
    # A path would be long, and says more about the machine than about the model.
    if model := PurePath(str(cohort.database.question.get("model") or "")).name:
        told.append(f"model {model}")
    if cohort.database.target:
        told.append(f"target {cohort.database.target}")
    variants = cohort.variants()
    if len(variants) > _NAMED:
        told.append(f"{len(variants):,} variants")
    elif any(variants):
        told.append(f"variants {', '.join(map(repr, variants))}")
    return f"<Cohort: {', '.join(told)}>"


def _lines(cohort: Cohort) -> list[str]:
    try:
        return list(sentences(cohort))
    except CallerError as choose:
        return [f"{len(cohort):,} rows.", str(choose)]
