"""Around the pages: keys, search, titles, theme, links, who is there, and what is shown when nothing answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console.browser.visits import Visit, fits, visiting
from console.running_console import running_console
from credential_files import tokens_by_role
from playwright.sync_api import Browser, Page, Route, expect
from sequela_client.credentials import Credentials
from sequela_console.server import ConsoleServer
from serving import Serving, embedded


def loaded(page: Page) -> Page:
    page.locator("tbody tr").first.wait_for()
    return page


def test_pages_have_titles_and_take_the_focus(visit: Visit) -> None:
    """After a link within the console the heading has the focus; nothing is loaded anew."""
    page = loaded(visit.go("/"))
    expect(page).to_have_title("Alerts · Sequela")
    assert page.url.endswith("/alerts")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Cohorts").click()
    expect(page).to_have_title("Cohorts · Sequela")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("link", name="Cohorts")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page).to_have_title("Alerts · Sequela")
    assert page.evaluate("window.same")


def test_the_first_tab_skips_to_the_content(visit: Visit) -> None:
    page = loaded(visit.go("/alerts"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_keys_go_everywhere(visit: Visit) -> None:
    page = loaded(visit.go("/alerts"))
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page).to_have_title("Cohorts · Sequela")
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page).to_have_title("Alerts · Sequela")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    page.keyboard.press("g")  # nothing behind a dialog
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).to_have_title("Alerts · Sequela")


def test_keys_are_off_while_somebody_types_or_holds_ctrl(visit: Visit) -> None:
    page = loaded(visit.go("/alerts"))
    page.keyboard.press("/")
    expect(page.get_by_label("Search alerts by any id")).to_be_focused()
    page.keyboard.type("gc?")
    expect(page.get_by_label("Search alerts by any id")).to_have_value("gc?")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+t")
    page.keyboard.press("Alt+t")
    assert page.evaluate("document.documentElement.dataset.theme") is None
    expect(page).to_have_title("Alerts · Sequela")


def test_single_keys_can_be_turned_off(visit: Visit) -> None:
    """Letters do nothing then, hints do not show them, and the choice lasts; arrows and Enter stay."""
    page = loaded(visit.go("/alerts"))
    page.keyboard.press("?")
    page.get_by_label("Single keys work").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    loaded(page)
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") is None
    assert page.locator("kbd", has_text="f").count() == 0
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('tbody a')")


def test_the_theme_is_kept(visit: Visit) -> None:
    page = loaded(visit.go("/alerts"))
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_the_search_opens_what_it_finds(visit: Visit) -> None:
    """One alert is opened, several are listed."""
    page = loaded(visit.go("/alerts"))
    search = page.get_by_label("Search alerts by any id")
    search.fill("takeover-286")
    search.press("Enter")
    expect(page.locator("h1")).to_contain_text("takeover-286")
    search.fill("takeover-")
    search.press("Enter")
    expect(page).to_have_url(re.compile(r"/alerts\?q=takeover-"))
    expect(page.locator("tbody tr")).to_have_count(3)


def test_links_open_tabs_as_usual(visit: Visit) -> None:
    page = loaded(visit.go("/alerts"))
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Cohorts").click(modifiers=["Control"])
    opened.value.wait_for_load_state()
    assert opened.value.url.endswith("/cohorts")
    assert page.url.endswith("/alerts")


def test_a_page_that_is_not_there(visit: Visit) -> None:
    page = visit.go("/nothing/here")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    page.get_by_role("link", name="Go to the alerts").click()
    expect(page).to_have_title("Alerts · Sequela")


def test_a_short_link_leads_to_its_view(visit: Visit) -> None:
    """Its address stays short, the page has the state, and a link that nobody made is told."""
    page = loaded(visit.go("/alerts"))
    state = {"note": "x" * 3000}
    made = page.evaluate(
        """async (body) => (await fetch('/api/links', {method: 'POST', body: JSON.stringify(body),
            headers: {'Content-Type': 'application/json'}})).json()""",
        {"path": "/cohorts", "state": state},
    )
    visit.go(f"/s/{made['id']}")
    expect(page).to_have_title("Cohorts · Sequela")
    assert page.url.endswith(f"/s/{made['id']}")
    page.reload()
    expect(page).to_have_title("Cohorts · Sequela")
    visit.expected.append("404")
    page.goto(f"{visit.url}/s/nothing")
    expect(page.get_by_role("alert")).to_contain_text("This short link could not be opened")


def test_a_person_without_a_name_is_asked_once(browser: Browser, console: ConsoleServer) -> None:
    with visiting(browser, console.url, name="") as visit:
        page = visit.go("/alerts")
        expect(page.get_by_role("heading", level=1)).to_have_text("Who are you?")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Enter your name.")).to_be_visible()
        page.get_by_label("Your name").fill("Zoë")
        page.keyboard.press("Enter")
        loaded(page)
        page.get_by_role("button", name="Zoë").click()
        expect(page.get_by_text("not verified")).to_be_visible()
        page.reload()
        loaded(page)


def test_the_service_may_be_down(visit: Visit) -> None:
    """Whoever is inside goes on with what the console has, and is told."""

    def answer(route: Route) -> None:
        content = route.fetch().json()
        content["service"] |= {"state": "down", "message": "Check that it runs."}
        route.fulfill(json=content)

    visit.page.route("**/api/session", answer)
    page = loaded(visit.go("/alerts"))
    expect(page.get_by_text("The service does not answer.")).to_be_visible()
    expect(page.get_by_text("Check that it runs.")).to_be_visible()


def test_the_console_may_be_gone(visit: Visit) -> None:
    """The page says so and can be tried again."""
    visit.expected.append("ERR_")
    visit.page.route("**/api/session", lambda route: route.abort())
    page = visit.page
    page.goto(visit.url + "/alerts")
    expect(page.get_by_role("alert")).to_contain_text("The console does not answer")
    page.unroute("**/api/session")
    page.get_by_role("button", name="Try again").click()
    loaded(page)


@pytest.mark.parametrize("width", [390, 1280])
def test_login_with_a_token(browser: Browser, tmp_path: Path, width: int) -> None:
    """A wrong token is told, a right one opens the page that was asked for, a revoked one leads back to the login."""
    tokens = dict(tokens_by_role(tmp_path / "tokens"))
    with (
        Serving(embedded(tokens=tmp_path / "tokens")) as service,
        running_console(
            service.bound.grpc, tmp_path, credentials=Credentials(token=tokens["read"])
        ) as console,
        visiting(browser, console.url, name="") as visit,
    ):
        visit.expected.append("401")
        visit.page.set_viewport_size({"width": width, "height": 800})
        page = visit.go("/cohorts")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        assert fits(page)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("Enter your token.")).to_be_visible()
        page.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Token")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Token").fill(tokens["read"])
        page.keyboard.press("Enter")
        expect(page).to_have_title("Cohorts · Sequela")
        page.context.clear_cookies()
        page.get_by_role("link", name="Alerts", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        expect(page.get_by_text("Your session is over")).to_be_visible()
        page.get_by_label("Token").fill(tokens["read"])
        page.keyboard.press("Enter")
        expect(page).to_have_title("Alerts · Sequela")
