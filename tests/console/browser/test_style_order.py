"""Pages look the same, whichever pages somebody came from: the order in which their styles are loaded never matters."""

from __future__ import annotations

from typing import Any

from console.browser.conftest import COHORT
from console.browser.visits import Visit, fits
from playwright.sync_api import Page

BOXES = """
(selector) => [...document.querySelectorAll(selector)].map(each => {
  const { x, y, width, height } = each.getBoundingClientRect();
  return [each.className.toString().split(' ')[0], Math.round(x), Math.round(y), Math.round(width), Math.round(height)];
})
"""
ALERT = "h1, .head, .head > *, .scale, .head svg"
LIST = "h1, thead th, tbody tr:first-child > *"
GRID = "h1, main > *, main > * > *"


def boxes(page: Page, selector: str) -> Any:
    """Returns where elements are, once nothing is being loaded."""
    page.wait_for_load_state("networkidle")
    assert fits(page)
    return page.evaluate(BOXES, selector)


def test_an_alert_opened_from_the_list_and_the_list_after_it(visit: Visit) -> None:
    page = visit.go("/alerts?sort=caller&order=asc")
    page.locator("tbody tr").first.wait_for()
    listed = boxes(page, LIST)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator(".scale svg").wait_for()
    opened = boxes(page, ALERT)
    page.keyboard.press("u")
    page.locator("tbody tr").first.wait_for()
    assert boxes(page, LIST) == listed
    page.go_back()
    page.reload()
    page.locator(".scale svg").wait_for()
    assert boxes(page, ALERT) == opened


def test_the_grid_after_the_list_and_the_cohorts(visit: Visit) -> None:
    page = visit.go("/alerts")
    page.locator("tbody tr").first.wait_for()
    page.get_by_role("link", name="Cohorts", exact=True).click()
    page.get_by_role("link", name=COHORT).first.click()
    page.get_by_role("link", name="grid").first.click()
    page.locator("canvas").first.wait_for()
    came = boxes(page, GRID)
    page.reload()
    page.locator("canvas").first.wait_for()
    assert boxes(page, GRID) == came
