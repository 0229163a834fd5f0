"""Renders a page as one HTML file that contains its style, and has no scripts and network requests."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from sequela_client.extras import require
from sequela_client.plots.style import EXTRA

_PACKAGE = "sequela_client.pages"


def render(name: str, **values: Any) -> str:
    """Renders a template of this package with the style of the same name and a strict Content-Security-Policy.

    Args:
        name: the name of the template and of its style, without their endings.
        values: the values for the template, which are escaped.

    Raises:
        CallerError: the extra `report` is not installed.
    """
    jinja2 = require("jinja2", EXTRA)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_PACKAGE),
        # Jinja does not escape by default.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The policy has the hash of the style element, so any change of its text would disable the style.
    style = (files(_PACKAGE) / "templates" / f"{name}.css").read_text(encoding="utf-8")
    page: str = environment.get_template(f"{name}.html").render(
        style=jinja2.utils.markupsafe.Markup(style), policy=policy(style), **values
    )
    return page


def policy(style: str) -> str:
    """Returns the Content-Security-Policy of a page with this style, which allows images in the page itself."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
