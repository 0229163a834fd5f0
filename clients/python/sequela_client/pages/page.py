"""A page in one HTML file: its style is in it, and it has no script and sends no request."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from sequela_client.extras import require
from sequela_client.plots.style import EXTRA

_PACKAGE = "sequela_client.pages"


def render(name: str, **values: Any) -> str:
    """A template of this package as a page, with the style of the same name and a strict policy.

    Args:
        name: the name of the template and of its style, without their endings.
        values: what the template shows. It is escaped.

    Raises:
        OperatorError: the extra `report` is not installed.
    """
    jinja2 = require("jinja2", EXTRA)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE),
        # Jinja's own escaping is off by default.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The policy names the hash of the element's content, so the style must not be changed in any way.
    style = (files(_PACKAGE) / "templates" / f"{name}.css").read_text(encoding="utf-8")
    page: str = environment.get_template(f"{name}.html").render(
        style=jinja2.utils.markupsafe.Markup(style), policy=policy(style), **values
    )
    return page


def policy(style: str) -> str:
    """The Content-Security-Policy of a page with this text in its style element, and images in it."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
