"""An analyst has a minute for an alert: from the list to a decision by keyboard alone, in few steps."""

from __future__ import annotations

import re

from console.browser.visits import Visit
from playwright.sync_api import Page, expect

MOST_STEPS = 4


class Keyboard:
    """Presses keys, and counts them."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.steps = 0

    def press(self, key: str) -> None:
        """Presses a key."""
        self._page.keyboard.press(key)
        self.steps += 1


def test_from_the_list_to_a_decision(visit: Visit) -> None:
    """Select, open, read history and reasons without scrolling, decide: the next alert of the list comes by itself."""
    page = visit.go("/alerts?verdict=open&sort=caller&order=asc")
    page.locator("tbody tr").first.wait_for()
    first, second = page.locator("tbody th a").all_inner_texts()[:2]
    keyboard = Keyboard(page)
    keyboard.press("j")
    keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(first)
    # What decides is seen at once on a laptop: score, history and reasons.
    for heading in ("^History", "^Why"):
        box = page.get_by_role("heading", name=re.compile(heading)).bounding_box()
        assert box is not None
        assert box["y"] < 720
    keyboard.press("f")
    expect(page.locator("h1")).to_contain_text(second)
    expect(page.get_by_role("status").filter(has_text=first)).to_contain_text("fraud")
    assert keyboard.steps <= MOST_STEPS
    # It was a mistake: one key takes it back, and the list has the alert again.
    keyboard.press("z")
    expect(page.get_by_role("status").filter(has_text=first)).to_contain_text("taken back")
    keyboard.press("u")
    expect(page.get_by_role("link", name=first, exact=True)).to_be_visible()


def test_the_queue_from_the_list(visit: Visit) -> None:
    """Three alerts decided without opening them: three keys each at most, and the selection goes on."""
    page = visit.go("/alerts?q=simulated-0002")
    page.locator("tbody tr").first.wait_for()
    names = page.locator("tbody th a").all_inner_texts()[:4]
    keyboard = Keyboard(page)
    keyboard.press("j")
    for key, name, following in zip("fpf", names[:3], names[1:], strict=True):
        keyboard.press(key)
        expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("Anna Analyst")
        expect(page.get_by_role("link", name=following, exact=True)).to_be_focused()
    assert keyboard.steps == 1 + 3
