"""axe-core finds nothing serious on any page: in light and dark, on a laptop and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from console.browser.conftest import COHORT
from console.browser.visits import LOOKS, Look, Visit, accessibility_findings, fits
from playwright.sync_api import Page, expect

Open = Callable[[Page], object]


def list_of_alerts(page: Page) -> None:
    page.locator("tbody tr").first.wait_for()
    page.keyboard.press("j")


def open_score_filter(page: Page) -> None:
    list_of_alerts(page)
    page.get_by_role("button", name="Any score").click()


def help_dialog(page: Page) -> None:
    list_of_alerts(page)
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


def first_alert(page: Page) -> None:
    page.locator("tbody tr").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("^History")).wait_for()
    settled(page)


def settled(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("alert")).to_have_count(0)


PAGES: dict[str, tuple[str, Open]] = {
    "list": ("/alerts", list_of_alerts),
    "filter": ("/alerts", open_score_filter),
    "keys": ("/alerts", help_dialog),
    "nothing found": ("/alerts?q=nothing-has-this-name", settled),
    "not found": ("/nothing", settled),
    "alert": ("/alerts?q=takeover-47", first_alert),
    "cohorts": ("/cohorts", settled),
    "cohort": (f"/cohorts/{COHORT}", settled),
    "grid": (f"/cohorts/{COHORT}/grid", settled),
    "progress": (f"/cohorts/{COHORT}/progress", settled),
    "row": (f"/cohorts/{COHORT}/rows/0?variant=checkpoint=1", settled),
}


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious(
    name: str, look: Look, visit_as: Callable[[Look], AbstractContextManager[Visit]]
) -> None:
    path, opened = PAGES[name]
    with visit_as(look) as visit:
        page = visit.go(path)
        opened(page)
        assert accessibility_findings(page) == []
        assert fits(page)
        assert page.locator("h1").count() == 1
        assert page.title().endswith("· Sequela")
