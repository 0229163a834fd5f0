"""A cohort in a notebook: a few lines of HTML without scripts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sequela_client.cohort.summary import sentences
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


def card(cohort: Cohort) -> str:
    """What the cohort says, or which variants there are to choose from."""
    try:
        lines = sentences(cohort)
    except CallerError as choose:
        lines = [f"{len(cohort):,} rows.", str(choose)]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    target = escape(cohort.database.target)
    return f"<div><strong>Cohort</strong>{f', target {target}' if target else ''}<ul>{items}</ul></div>"
