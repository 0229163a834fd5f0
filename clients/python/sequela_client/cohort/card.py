"""A cohort in a few lines: as HTML without scripts for a notebook, and as text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sequela_client.cohort.summary import sentences
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


def card(cohort: Cohort) -> str:
    """What the cohort says, or which variants there are to choose from."""
    items = "".join(f"<li>{escape(line)}</li>" for line in _lines(cohort))
    target = escape(cohort.database.target)
    return f"<div><strong>Cohort</strong>{f', target {target}' if target else ''}<ul>{items}</ul></div>"


def plain_card(cohort: Cohort) -> str:
    """The same as text."""
    target = cohort.database.target
    return "\n  ".join([f"<Cohort{f' of {target}' if target else ''}", *_lines(cohort)]) + ">"


def _lines(cohort: Cohort) -> list[str]:
    try:
        return list(sentences(cohort))
    except CallerError as choose:
        return [f"{len(cohort):,} rows.", str(choose)]
