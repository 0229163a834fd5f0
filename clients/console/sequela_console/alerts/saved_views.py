"""Short links: views whose state is too long for an address."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sequela_console.alerts.parameters import invalid, text
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.http.errors import not_found
from sequela_console.state.links import SavedView, save_view, saved_view

MAX_PATH = 500
MAX_STATE_CHARACTERS = 200_000
"""A view with thousands of annotations; the address of a browser ends long before."""


@dataclass(frozen=True, slots=True)
class LinkId:
    """The id of a short link, see `ShortLink` in types.ts."""

    id: str


def post_link(console: Console, question: Question) -> LinkId:
    """Answers POST /api/links."""
    question.visitor.check_confirmed()
    path = text(question.body, "path", MAX_PATH)
    # Two slashes would lead to another site.
    if not path.startswith("/") or path.startswith("//") or "\\" in path:
        raise invalid("path", "must be the path of a page of the console, such as /alerts")
    state = question.body.get("state", "")
    if not isinstance(state, str | dict):
        raise invalid("state", "must be a string or an object")
    content = json.dumps(state)
    if len(content) > MAX_STATE_CHARACTERS:
        raise invalid("state", f"must have at most {MAX_STATE_CHARACTERS:,} characters")
    return LinkId(save_view(console.state, SavedView(path, content)))


def get_link(console: Console, question: Question) -> dict[str, Any]:
    """Answers GET /api/links/{id}."""
    view = saved_view(console.state, question.path["id"])
    if view is None:
        raise not_found(
            "LINK_NOT_FOUND",
            "the console does not know this short link, or its alert was deleted",
        )
    return {"path": view.path, "state": json.loads(view.state)}
