"""The console as a browser shows it, with the alerts and cohorts of its demo."""

from __future__ import annotations

import base64
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from sequela_console.demo.console import demo_settings
from sequela_console.server import ConsoleServer
from sequela_console.settings import ConsoleSettings

from scripts.gallery.screenshots import CHROMIUM

COLOURS = 128
LINE_COLOURS = 24
ALERTS = 124
PATIENCE_SECONDS = 240.0
COHORT = "/cohorts/contracts"
PAIR = {"primary": "scheduled", "secondary": "unscheduled"}
LOW, HIGH = [0.0, 0.2], [0.6, 1.0]

# What is drawn: the file, the path with the state of its view, and the size of the window.
VIEWS: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "console-grid.png": (f"{COHORT}/grid", {}, (1600, 1000)),
    "console-grid-paper.png": (f"{COHORT}/grid", {"colours": "paper"}, (1600, 1000)),
    "console-grid-high.png": (f"{COHORT}/grid", {"range": HIGH}, (1600, 1000)),
    "console-pair.png": (f"{COHORT}/grid", {"pair": PAIR}, (1600, 1000)),
    "console-progress.png": (f"{COHORT}/progress", {"pair": PAIR}, (1600, 1500)),
    "console-cohort.png": ("/cohorts/accounts", {}, (1280, 1400)),
}
IS_READ = "() => !/being read|of \\d+ read/.test(document.body.innerText)"


def console_pictures(folder: Path) -> dict[str, bytes]:
    """All pictures of the console by the names of their files."""
    return dict(_pictures(folder))


def _pictures(folder: Path) -> Iterator[tuple[str, bytes]]:
    settings = ConsoleSettings(server="", port=0, state_folder=Path(tempfile.mkdtemp(dir=folder)))
    with demo_settings(settings) as demo, ConsoleServer.started(demo) as console, sync_playwright() as tools:
        flags = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(color_scheme="light", reduced_motion="reduce")
        page.request.post(f"{console.url}/api/session", data={"name": "Anna"})
        alerts = _alerts(page, console.url)
        yield "console-list.png", _photograph(page, f"{console.url}/alerts", (1280, 720))
        for case in ("takeover-47", "takeover-286"):
            address = f"{console.url}/alerts/{alerts[case]}"
            yield f"console-{case}.png", _photograph(page, address, (1280, 2300))
        for name, (path, state, size) in VIEWS.items():
            yield name, _photograph(page, f"{console.url}{path}{_view(state)}", size)
        browser.close()


def _alerts(page: Page, url: str) -> dict[str, str]:
    """The ids of the alerts by their cases, once all of them are there."""
    end = time.monotonic() + PATIENCE_SECONDS
    while page.request.get(f"{url}/api/index").json()["alerts"] < ALERTS and time.monotonic() < end:
        time.sleep(1.0)
    found = page.request.get(f"{url}/api/alerts?q=takeover-").json()["alerts"]
    return {each["callerId"]: each["id"] for each in found}


def _view(state: dict[str, Any]) -> str:
    if not state:
        return ""
    text = base64.urlsafe_b64encode(json.dumps({"v": 1, **state}).encode()).decode()
    return "?v=" + text.rstrip("=")


def _photograph(page: Page, address: str, size: tuple[int, int]) -> bytes:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    # On a busy machine, explanations are still being read when nothing is on its way any more.
    page.wait_for_function(IS_READ, timeout=1000 * PATIENCE_SECONDS)
    # Workers draw a moment after everything has been loaded.
    page.wait_for_timeout(4000)
    image = Image.open(io.BytesIO(page.screenshot()))
    packed = io.BytesIO()
    shown, colours = image.convert("RGB"), COLOURS
    # Thousands of fine lines pack badly: a smaller picture with fewer colours shows them as well.
    if address.partition("?")[0].endswith("/progress"):
        shown = shown.resize((3 * image.width // 4, 3 * image.height // 4), Image.Resampling.LANCZOS)
        colours = LINE_COLOURS
    shown.quantize(colours, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()
