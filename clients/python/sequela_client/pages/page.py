"""Renders a page as one HTML file that contains its style and its script, and makes no network requests."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from sequela_client.extras import require
from sequela_client.plots.style import EXTRA

_PACKAGE = "sequela_client.pages"


def render(name: str, style: str, script: str = "", **values: Any) -> str:
    """Renders a template of this package with a strict Content-Security-Policy.

    Args:
        name: the name of the template, without its ending.
        style: the text of its style element.
        script: the text of its script element; empty for a page without scripts.
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
    as_it_is = jinja2.utils.markupsafe.Markup
    page: str = environment.get_template(f"{name}.html").render(
        style=as_it_is(style), script=as_it_is(script), policy=policy(style, script), **values
    )
    return page


def template_style(name: str) -> str:
    """Returns the style that belongs to the template of this name."""
    return (files(_PACKAGE) / "templates" / f"{name}.css").read_text(encoding="utf-8")


def bundle_file(name: str) -> str:
    """Returns a file of the bundle that is built from the components of the console."""
    return (files(_PACKAGE) / "bundle" / name).read_text(encoding="utf-8")


def policy(style: str, script: str = "") -> str:
    """Returns the Content-Security-Policy of a page, which allows this style, this script and images in the page.

    It has the hashes of both, so any change of their text would disable them.
    """
    scripts = f" script-src {_hash(script)};" if script else ""
    # A script saves figures as pictures, which it draws from blobs.
    images = "data: blob:" if script else "data:"
    return (
        f"default-src 'none'; img-src {images};{scripts} style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
