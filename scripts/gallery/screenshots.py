"""Pages of Sequela as a browser shows them, as PNG with few colours."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, sync_playwright

from scripts.gallery.accounts import OUTCOME, THRESHOLD, first_alerts
from scripts.gallery.alerts import explained_alerts

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("SEQUELA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
WIDTH = 1000
# The last element that a picture shows: the first figure in both.
LAST = {
    "alert-page.png": "#figures figure",
    "cohort-page.png": "#events img",
}
COLOURS = 64


def screenshots(folder: Path) -> dict[str, bytes]:
    """The upper parts of the page of an alert and of the report on a cohort."""
    report = first_alerts(folder).to_html(
        title="Accounts with an alert", by="client_age", outcome=OUTCOME, threshold=THRESHOLD
    )
    pages = {"alert-page.png": explained_alerts()["takeover-47"].to_html(), "cohort-page.png": report}
    return {name: photograph(folder / f"{name}.html", page, LAST[name]) for name, page in pages.items()}


def photograph(path: Path, page: str, last: str) -> bytes:
    """Opens a page from disk as a browser does, and returns a picture down to the last element."""
    path.write_text(page, encoding="utf-8")
    with sync_playwright() as tools:
        # In containers, which have no other user than root, chromium's sandbox does not start.
        flags = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=flags)
        tab = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
        tab.goto(path.resolve().as_uri())
        box = tab.locator(last).first.bounding_box()
        assert box is not None, f"{path.name} has no element {last}"
        clip: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": box["y"] + box["height"]}
        image = Image.open(io.BytesIO(tab.screenshot(full_page=True, clip=clip)))
        browser.close()
    packed = io.BytesIO()
    image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()
