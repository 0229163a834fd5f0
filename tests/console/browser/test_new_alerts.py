"""The list keeps up with the service, and says what is wrong with its address."""

from __future__ import annotations

import json
import re

from console.browser.visits import Visit
from playwright.sync_api import Route, expect


class GrowingService:
    """Answers for the console as if its index were still reading."""

    def __init__(self, visit: Visit) -> None:
        self.count = 21
        visit.page.route("**/api/session", self.session)
        visit.page.route(re.compile(r"/api/alerts(\?|$)"), self.alerts)

    def session(self, route: Route) -> None:
        """The index has as many alerts as are set."""
        content = json.loads(route.fetch().text())
        content["index"] |= {"alerts": self.count, "pending": 0, "complete": True}
        route.fulfill(json=content)

    def alerts(self, route: Route) -> None:
        """The list says the same."""
        content = json.loads(route.fetch().text())
        route.fulfill(json=content | {"total": self.count})


def test_new_alerts_come_by_themselves_while_nobody_touches_the_list(visit: Visit) -> None:
    service = GrowingService(visit)
    page = visit.go("/alerts")
    expect(page.get_by_text("21 alerts", exact=True).first).to_be_visible()
    service.count = 50
    expect(page.get_by_text("50 alerts", exact=True).first).to_be_visible(timeout=10_000)
    # From now on rows stay where they are until somebody asks.
    page.keyboard.press("j")
    service.count = 64
    button = page.get_by_role("button", name="Show 14 new alerts")
    expect(button).to_be_visible(timeout=10_000)
    expect(page.get_by_text("50 alerts", exact=True).first).to_be_visible()
    button.click()
    expect(page.get_by_text("64 alerts", exact=True).first).to_be_visible()
    expect(button).to_be_hidden()


def test_new_alerts_are_told_beside_filters(visit: Visit) -> None:
    service = GrowingService(visit)
    page = visit.go("/alerts?q=simulated")
    page.locator("tbody tr").first.wait_for()
    page.wait_for_timeout(1000)
    service.count = 30
    button = page.get_by_role("button", name="Look again: 9 new alerts in all")
    expect(button).to_be_visible(timeout=10_000)
    button.click()
    expect(button).to_be_hidden()


def test_a_wrong_address_is_told_in_words(visit: Visit) -> None:
    visit.expected.append("400")
    page = visit.go("/alerts?sort=colour&verdict=open")
    expect(page.get_by_role("alert")).to_contain_text("does not understand sort=colour")
    page.get_by_role("link", name="Show the list without it").click()
    page.locator("tbody tr").first.wait_for()
    assert page.url.endswith("/alerts?verdict=open")
    expect(page.get_by_role("alert")).to_be_hidden()
