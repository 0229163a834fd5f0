"""The list of alerts in a browser: what it shows is what the service has; filters, order, pages, decisions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from console.browser.visits import Look, Visit, fits
from playwright.sync_api import Page, Route, expect
from sequela_client.client import Sequela
from sequela_console.server import ConsoleServer
from waiting import PATIENCE, eventually

ALL = 64
PAGE = 50


def rows(page: Page) -> list[str]:
    """The names of the alerts in the rows, once the list has come."""
    page.locator("tbody tr").first.wait_for()
    expect(page.locator("table[aria-busy=true]")).to_have_count(0)
    return page.locator("tbody th a").all_inner_texts()


def names_by_score(console: ConsoleServer) -> list[tuple[str, float]]:
    """The alerts of the service itself by their names, highest score first."""
    with Sequela(console.console.settings.server) as service:
        found = [(each.caller_id, each.targets[0].raw_score) for each in service.list_explanations()]
    return sorted(found, key=lambda each: -each[1])


def labels(console: ConsoleServer, id: str) -> list[dict[str, Any]]:
    """The decisions and notes of an alert, asked for beside the browser."""
    with httpx.Client(base_url=console.url, timeout=PATIENCE) as person:
        person.post("/api/session", json={"name": "Checker"}).raise_for_status()
        found: list[dict[str, Any]] = person.get(f"/api/alerts/{id}/labels").json()
        return found


def id_of(page: Page, name: str) -> str:
    """The id of an alert, from the link in its row."""
    link = page.get_by_role("row").get_by_role("link", name=name, exact=True)
    return urlsplit(link.get_attribute("href") or "").path.removeprefix("/alerts/")


def test_it_shows_what_the_service_has(visit: Visit, console: ConsoleServer) -> None:
    """Sorted by score: the same alerts in the same order, with their scores, on two pages."""
    page = visit.go("/alerts")
    page.get_by_role("button", name="Score", exact=True).click()
    expect(page).to_have_url(re.compile(r"sort=score"))
    expect(page.get_by_role("columnheader", name="Score")).to_have_attribute("aria-sort", "descending")
    expected = [name for name, _ in names_by_score(console)]
    assert rows(page) == expected[:PAGE]
    assert page.get_by_text(f"{ALL} alerts").is_visible()
    top_name, top_score = names_by_score(console)[0]
    first = page.locator("tbody tr").first
    assert top_name in first.inner_text()
    shown = first.locator("td.score b").inner_text()
    assert shown == ("> 0.999" if top_score > 0.9995 else f"{top_score:.3f}")
    page.keyboard.press("]")
    expect(page).to_have_url(re.compile("cursor="))
    expect(page.locator("tbody tr")).to_have_count(ALL - PAGE)
    assert rows(page) == expected[PAGE:]
    page.keyboard.press("[")
    expect(page.locator("tbody tr")).to_have_count(PAGE)
    assert rows(page) == expected[:PAGE]


def test_filters_stand_in_the_address(visit: Visit, console: ConsoleServer) -> None:
    """What is chosen is in the address, and an address shows the same list; clearing shows everything again."""
    page = visit.go("/alerts")
    rows(page)
    page.get_by_role("button", name="Any score").click()
    page.get_by_label("At least").fill("0.9")
    page.get_by_label("At least").press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Any label").click()
    page.get_by_label("Label", exact=True).select_option("country")
    page.get_by_label("Value", exact=True).select_option("PT")
    expect(page).to_have_url(re.compile("label="))
    assert parse_qs(urlsplit(page.url).query) == {"min_score": ["0.9"], "label": ["country:PT"]}
    with Sequela(console.console.settings.server) as service:
        expected = {
            each.caller_id
            for each in service.list_explanations()
            if each.targets[0].raw_score >= 0.9 and each.labels.get("country") == "PT"
        }
    expect(page.locator("tbody tr")).to_have_count(len(expected))
    assert set(rows(page)) == expected
    page.reload()
    assert set(rows(page)) == expected
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text(f"{ALL} alerts")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/alerts$"))


def test_it_is_empty_where_nothing_fits(visit: Visit) -> None:
    page = visit.go("/alerts?q=there-is-no-such-account")
    expect(page.get_by_text("No alert has all of this")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    assert len(rows(page)) == PAGE


def test_a_failure_can_be_tried_again(visit: Visit) -> None:
    """It says what failed and what to do, and the retry shows the list."""
    visit.expected.append("503")
    answers = [503]

    def answer(route: Route) -> None:
        if not answers:
            route.continue_()
            return
        error = {"reason": "SERVICE_DOWN", "message": "the service does not answer"}
        route.fulfill(status=answers.pop(), json={"error": error})

    visit.page.route("**/api/alerts?**", answer)
    visit.page.route("**/api/alerts", answer)
    page = visit.go("/alerts")
    expect(page.get_by_role("alert")).to_contain_text("the service does not answer")
    expect(page.get_by_role("alert")).to_contain_text("SERVICE_DOWN")
    page.get_by_role("button", name="Try again").click()
    assert len(rows(page)) == PAGE
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_decision_is_kept_and_can_be_taken_back(visit: Visit, console: ConsoleServer) -> None:
    """By mouse: the service of labels has it, the message takes it back, and both are in the history of labels."""
    page = visit.go("/alerts?q=simulated-00007")
    id = id_of(page, "simulated-00007")
    page.get_by_role("button", name="False positive for simulated-00007").click()
    expect(page.get_by_role("row").filter(has_text="Anna Analyst")).to_have_count(1)
    eventually(lambda: [each["verdict"] for each in labels(console, id)] == ["false_positive"])
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Fraud for simulated-00007")).to_be_visible()
    both = {"false_positive", "undecided"}
    eventually(lambda: {each["verdict"] for each in labels(console, id)} == both)


def test_a_decision_made_meanwhile_is_told(visit: Visit, console: ConsoleServer) -> None:
    """Somebody else was faster: who, and the row shows their decision."""
    visit.expected.append("409")
    page = visit.go("/alerts?q=simulated-00008")
    id = id_of(page, "simulated-00008")
    with httpx.Client(base_url=console.url, timeout=PATIENCE) as person:
        person.post("/api/session", json={"name": "Berta"}).raise_for_status()
        made = person.post(f"/api/alerts/{id}/labels", json={"verdict": "fraud", "previous": None})
        made.raise_for_status()
    page.get_by_role("button", name="False positive for simulated-00008").click()
    expect(page.get_by_text("is not decided")).to_contain_text("Berta")
    expect(page.locator("tbody tr")).to_contain_text("Fraud")
    assert [each["verdict"] for each in labels(console, id)] == ["fraud"]


def test_the_way_back_leads_to_the_same_row(visit: Visit) -> None:
    """Opened with Enter, the alert knows its list; the browser's way back selects it again."""
    page = visit.go("/alerts?sort=caller&order=asc")
    rows(page)
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(name)
    assert parse_qs(urlsplit(page.url).query)["queue"] == ["sort=caller&order=asc"]
    page.go_back()
    rows(page)
    expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()


def test_progress_of_the_index_is_shown(visit: Visit) -> None:
    def answer(route: Route) -> None:
        content = json.loads(route.fetch().text())
        content["index"] |= {"alerts": 100_000, "pending": 59_000, "complete": False}
        route.fulfill(json=content)

    visit.page.route("**/api/session", answer)
    page = visit.go("/alerts")
    expect(page.get_by_text("41,000 of 100,000 read")).to_be_visible()
    expect(page.get_by_role("button", name="Show 99,936 new alerts")).to_be_visible()


def test_decisions_are_exported(visit: Visit) -> None:
    page = visit.go("/alerts")
    page.get_by_role("button", name="Export decisions").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV, for a spreadsheet").click()
    assert "verdict" in saved.value.path().read_text(encoding="utf-8").splitlines()[0]


def test_it_fits_a_phone(visit_as: Callable[[Look], AbstractContextManager[Visit]]) -> None:
    with visit_as(Look("light", 390, 844)) as visit:
        page = visit.go("/alerts")
        rows(page)
        assert fits(page)
        assert page.get_by_role("button", name=re.compile("^Fraud for ")).first.is_visible()


def test_it_fills_while_the_console_reads(visit: Visit) -> None:
    """An empty list shows alerts as soon as the console has found them, without anybody asking again."""
    found = [False]

    def answer_session(route: Route) -> None:
        content = json.loads(route.fetch().text())
        if not found[0]:
            content["index"] |= {"alerts": 0, "pending": 0, "complete": False}
        route.fulfill(json=content)

    def answer_list(route: Route) -> None:
        if found[0]:
            route.continue_()
            return
        facets = {"models": [], "labels": {}, "features": []}
        route.fulfill(json={"alerts": [], "total": 0, "next": None, "previous": None, "facets": facets})

    visit.page.route("**/api/session", answer_session)
    visit.page.route(re.compile(r"/api/alerts(\?|$)"), answer_list)
    page = visit.go("/alerts")
    expect(page.get_by_text("Reading what the service has")).to_be_visible()
    found[0] = True
    assert len(rows(page)) == PAGE
