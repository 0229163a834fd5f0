"""What people take out of the console: one file, pictures, data, and a panel in another tool."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from console.browser.test_alert_page import NAME, id_of, opened
from console.browser.visits import AXE, AXE_OPTIONS, Visit, axe_source
from playwright.sync_api import Browser, Page, expect
from sequela_console.server import ConsoleServer

SECRETS = (
    "takeover-47",
    "account-4-",
    "confirmed takeover",
    "event-00",
    "Anna Analyst",
    "2026-04-02",
    "2,109.43",
)


def saved(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("dialog").get_by_role("button", name=button).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_one_file(visit: Visit, console: ConsoleServer, browser: Browser, tmp_path: Path) -> None:
    """It opens from disk without scripts, requests or complaints, and has the whole history and all numbers."""
    page = opened(visit, console)
    page.keyboard.press("s")
    path = saved(page, "One page", tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r"(src|href)=\"(?!#)", text)
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    file, seen = context.new_page(), []
    file.on("console", lambda message: seen.append(message.text))
    file.on("request", lambda request: seen.append(request.url))
    file.goto(path.as_uri())
    assert seen == [path.as_uri()]
    assert file.locator("h1").inner_text() == NAME
    assert file.locator("table[aria-label^=History] tbody tr").count() == 3 + 1 + 44
    assert file.locator("button, input, select").count() == 0
    assert file.evaluate("getComputedStyle(document.body).fontFamily").startswith("system-ui")
    file.get_by_role("link", name=re.compile("The amount of 2,109.43 EUR")).click()
    assert file.locator("td:target").inner_text().startswith("2,109.43 EUR")
    file.evaluate(f"() => {{ {axe_source()} }}")
    found = file.evaluate(AXE, AXE_OPTIONS)
    assert [each for each in found if each["impact"] in ("serious", "critical")] == []
    context.close()


def test_names_are_left_out(visit: Visit, console: ConsoleServer, tmp_path: Path) -> None:
    """On demand no file has ids, labels, times of events, people or texts of the caller; numbers and features stay."""
    page = opened(visit, console)
    page.keyboard.press("s")
    page.get_by_label("Leave out names").check()
    path = saved(page, "One page", tmp_path)
    assert NAME not in path.name
    text = path.read_text(encoding="utf-8")
    for secret in SECRETS:
        assert secret not in text
    assert "2,109.27 EUR" in text
    assert "+0.228" in text
    dialog = page.get_by_role("dialog")
    for data in ("Data (JSON)", "Table (CSV)"):
        with page.expect_download() as waiting:
            dialog.get_by_role("link", name=data).click()
        waiting.value.save_as(tmp_path / "data")
        exported = (tmp_path / "data").read_text(encoding="utf-8")
        for secret in SECRETS:
            assert secret not in exported


def test_figures_as_pictures(visit: Visit, console: ConsoleServer, tmp_path: Path) -> None:
    """Each figure is saved as an SVG that stands alone and as a PNG; all of them together as one PNG."""
    page = opened(visit, console)
    figure = page.get_by_role("figure", name="Features", exact=True)
    for kind in ("SVG", "PNG"):
        with page.expect_download() as waiting:
            figure.get_by_role("button", name=kind).click()
        waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
    root = ET.parse(tmp_path / "Features.svg").getroot()
    texts = "".join(root.itertext())
    assert "Client's age" in texts
    assert "+0.438" in texts
    assert "var(" not in (tmp_path / "Features.svg").read_text(encoding="utf-8")
    assert (tmp_path / "Features.png").read_bytes().startswith(b"\x89PNG")
    page.keyboard.press("s")
    assert saved(page, "Figures (PNG)", tmp_path).stat().st_size > 50_000


def test_a_short_link(visit: Visit, console: ConsoleServer) -> None:
    """It leads to the same alert."""
    page = opened(visit, console)
    page.keyboard.press("s")
    page.get_by_role("button", name="Make a short link").click()
    link = page.get_by_label("Short link").input_value()
    page.goto(link)
    expect(page.locator("h1")).to_have_text(NAME)


def panel_address(page: Page) -> str:
    page.keyboard.press("s")
    page.get_by_role("button", name="Make an address").click()
    return page.get_by_label("Address of the panel").input_value()


def test_a_panel_in_another_tool(visit: Visit, console: ConsoleServer, browser: Browser) -> None:
    """Without a session it shows the alert to read only, in a narrow frame, and asks for nothing else."""
    address = panel_address(opened(visit, console))
    context = browser.new_context(viewport={"width": 480, "height": 720})
    panel, asked = context.new_page(), []
    panel.on("request", lambda request: asked.append(request.url))
    panel.goto(address)
    expect(panel.locator("h1")).to_have_text(NAME)
    expect(panel.get_by_role("button", name="Fraud")).to_have_count(0)
    expect(panel.get_by_role("link", name="Open in the console")).to_be_visible()
    assert [each for each in asked if "/api/" in each] == [f"{console.url}/api/embed/{id_of(console)}"]
    # The key is not in the address that servers see.
    assert all("key" not in each for each in asked)
    assert panel.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


@pytest.mark.parametrize("key", ["", "W10.x", "%00"])
def test_a_panel_without_its_key(visit: Visit, console: ConsoleServer, browser: Browser, key: str) -> None:
    """It says what is wrong, and shows nothing of the alert."""
    context = browser.new_context()
    panel = context.new_page()
    panel.goto(f"{console.url}/embed/alerts/{id_of(console)}#{key}")
    expect(panel.get_by_role("alert")).to_contain_text("could not be loaded")
    assert NAME not in panel.locator("body").inner_text()
    context.close()


def test_the_trail_knows_what_was_taken(visit: Visit, console: ConsoleServer, tmp_path: Path) -> None:
    page = opened(visit, console)
    page.keyboard.press("s")
    saved(page, "One page", tmp_path)
    page.wait_for_load_state("networkidle")
    trail: list[dict[str, Any]] = json.loads(
        page.request.get(f"{console.url}/api/alerts/{id_of(console)}/trail").text()
    )
    assert any(each["action"] == "shared" and each["who"] == "Anna Analyst" for each in trail)
