"""Keys and fields of the page of one alert: what is typed gets where it belongs, and what is wrong is told there."""

from __future__ import annotations

from console.browser.test_alert_page import opened
from console.browser.visits import Visit
from playwright.sync_api import expect
from sequela_console.server import ConsoleServer


def test_keys_lead_into_the_fields(visit: Visit, console: ConsoleServer) -> None:
    """A note is typed at once and saved with Ctrl+Enter; a comparison asks for an id that people know."""
    page = opened(visit, console)
    page.keyboard.press("m")
    page.keyboard.type("called the client")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="Decisions and notes")).to_contain_text("called the client")
    page.keyboard.press("c")
    field = page.get_by_label("Compare with")
    expect(field).to_be_focused()
    page.keyboard.type("no-such-case")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No alert has the id or label")).to_be_visible()


def test_a_value_that_the_model_cannot_have(visit: Visit, console: ConsoleServer) -> None:
    """It is refused at its field, in words of the page, and is not among the changed values."""
    visit.expected.append("400 (Bad Request)")
    page = opened(visit, console)
    page.get_by_role("button", name="Change values by hand").click()
    drawer = page.get_by_role("dialog", name="Change values")
    drawer.get_by_label("Feature").select_option(label="Amount")
    drawer.get_by_label("New value").fill("-5")
    page.keyboard.press("Control+Enter")
    expect(drawer.get_by_role("alert")).to_contain_text("Amount cannot be −5")
    expect(drawer.get_by_text("Changed values")).to_have_count(0)
    drawer.get_by_label("New value").fill("")
    page.keyboard.press("Enter")
    expect(drawer.get_by_role("alert")).to_have_text("Type a new value first.")
