"""Cohorts in the browser: by keyboard from a mark to its sequences and to one of them, and what a phone shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from console.browser.conftest import COHORT
from console.browser.visits import LOOKS, Look, Visit, accessibility_findings, fits, wait_for_address
from playwright.sync_api import Page, expect
from sequela_console.server import ConsoleServer

SECTIONS = (
    "events",
    "features",
    "first-positive",
    "pruning",
    "weights",
    "groups",
    "drift",
    "comparison",
    "quality",
)


def loaded(page: Page) -> None:
    """Scrolls to each section, so that it asks for its numbers, and waits for them."""
    for name in SECTIONS:
        section = page.locator(f"section#{name}")
        section.scroll_into_view_if_needed()
        expect(section.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
        expect(section.locator(".content")).to_be_visible(timeout=30_000)
    page.evaluate("scrollTo(0, 0)")


def own_findings(page: Page) -> list[str]:
    """What axe finds, short enough to read."""
    return [f"{each['id']}: {each['nodes'][0][:300]}" for each in accessibility_findings(page)]


def number(text: str | None) -> int:
    """The first whole number in a text."""
    found = re.search(r"\d[\d,]*", text or "")
    assert found, text
    return int(found[0].replace(",", ""))


def test_from_the_list_to_a_sequence_by_keyboard(visit: Visit) -> None:
    """Each cohort opens, arrows walk over the bins of a figure, Enter opens its sequences, and each of them opens."""
    page = visit.go("/cohorts")
    page.get_by_role("link", name=COHORT, exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(COHORT)
    loaded(page)
    figure = page.get_by_role("application").first
    figure.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    readout = page.locator("#events .readout")
    expect(readout).to_contain_text("2 before the latest")
    told = readout.text_content() or ""
    counted = number(re.search(r"[\d,]+ sequences?", told)[0])  # type: ignore[index]
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading")).to_contain_text("2 before the latest: effects from")
    expect(drawer.locator("ol > li")).to_have_count(counted)
    assert number(drawer.get_by_role("status").text_content()) == counted
    name = drawer.locator("ol a").first.text_content() or ""
    drawer.locator("ol a").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/cohorts/{COHORT}/rows/\d+\?variant=checkpoint%3D600"))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_every_mark_opens_as_many_sequences_as_it_says(visit: Visit) -> None:
    """Bars, counts of groups and periods, statuses and facts: the number on the mark is the number in the drawer."""
    page = visit.go(f"/cohorts/{COHORT}")
    loaded(page)
    marks = [
        page.locator("#first-positive li button").first.locator(".number"),
        page.locator("#pruning li button").first.locator(".number"),
        page.locator("#weights tbody button").nth(2),
        page.locator("#groups tbody tr").first.locator("button").nth(0),
        page.locator("#groups tbody tr").first.locator("button").nth(1),
        page.locator("#groups tbody tr").nth(1).locator("button").nth(2),
        page.locator("#drift tbody button").nth(2),
        page.locator("#drift .scores tbody button").nth(3),
        page.locator("#quality li button").nth(1).locator(".number"),
        page.locator("button.fact").filter(has_text="fraud").locator(".note"),
    ]
    for mark in marks:
        counted = number(mark.text_content())
        mark.click()
        drawer = page.get_by_role("dialog")
        if counted:
            expect(drawer.get_by_role("status")).to_contain_text(re.compile(rf"^{counted} sequence"))
        else:
            expect(drawer).to_contain_text("No sequence is behind this mark")
        page.keyboard.press("Escape")
        expect(drawer).to_have_count(0)


def test_numbers_of_table_1_open_their_sequences(visit: Visit) -> None:
    """A mean opens all sequences of the table, and the longest one only itself, with that many events."""
    page = visit.go(f"/cohorts/{COHORT}")
    loaded(page)
    table = page.locator("#pruning table").first
    sequences = number(re.search(r"[\d,]+ sequences", page.locator("#pruning .legend").inner_text())[0])  # type: ignore[index]
    drawer = page.get_by_role("dialog")
    table.get_by_role("row", name="Mean length").get_by_role("button").first.click()
    expect(drawer.get_by_role("status")).to_contain_text(re.compile(rf"^{sequences} sequences"))
    page.keyboard.press("Escape")
    longest = table.get_by_role("row", name="Longest").get_by_role("button").first
    length = number(longest.inner_text())
    longest.click()
    expect(drawer.get_by_role("heading")).to_contain_text("Longest, original")
    expect(drawer.locator("ol > li").first).to_contain_text(f"{length} events")


def test_a_click_on_a_bin_opens_it_and_choices_stay_in_the_address(visit: Visit) -> None:
    """The strongest feature's strip, and a variant and a group that a second visit shows again."""
    page = visit.go(f"/cohorts/{COHORT}")
    loaded(page)
    figure = page.locator("#features").get_by_role("application")
    figure.scroll_into_view_if_needed()
    figure.focus()
    page.keyboard.press("ArrowRight")
    chosen = page.locator("#features rect.chosen").bounding_box()
    assert chosen
    page.mouse.click(chosen["x"] + chosen["width"] / 2, chosen["y"] + chosen["height"] / 2)
    expect(page.get_by_role("dialog")).to_contain_text("effects from")
    page.keyboard.press("Escape")
    page.get_by_label("Variant").first.select_option("checkpoint 1")
    page.get_by_label("Groups by").select_option("region (label)")
    expect(page.locator("#groups tbody th").first).to_have_text("north")
    for chosen_words in ("checkpoint=1", "region"):
        wait_for_address(page, chosen_words)
    page.reload()
    expect(page.get_by_label("Variant").first).to_have_value("checkpoint=1")
    page.locator("section#groups").scroll_into_view_if_needed()
    expect(page.locator("#groups tbody th").first).to_have_text("north")


def test_the_table_behind_a_figure_has_its_numbers(visit: Visit, console: ConsoleServer) -> None:
    """Show numbers: n of each place in the history is that of the API."""
    page = visit.go(f"/cohorts/{COHORT}")
    loaded(page)
    page.locator("#events").get_by_role("button", name="Show numbers").click()
    table = page.locator("#events table")
    query = {"variant": "checkpoint=600"}
    figure = httpx.get(f"{console.url}/api/cohorts/{COHORT}/figures/events", params=query, timeout=30).json()
    rows = figure["tables"]["events"]["rows"]
    expect(table.locator("tbody tr")).to_have_count(len(rows))
    shown = [number(each) for each in table.locator("tbody tr td:nth-child(2)").all_text_contents()]
    assert shown == [row[1] for row in rows]


def test_a_cohort_that_is_not_there_is_told_and_can_be_tried_again(visit: Visit) -> None:
    """The page says so in words."""
    visit.expected.append("404")
    page = visit.go("/cohorts/nobody")
    expect(page.get_by_role("alert")).to_contain_text("there is no cohort")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.goto(f"{visit.url}/cohorts/{COHORT}/rows/99?variant=checkpoint=1")
    expect(page.get_by_role("alert")).to_contain_text("has no row 99")


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_whole_page_is_accessible_and_fits(
    visit_as: Callable[[Look], AbstractContextManager[Visit]], look: Look
) -> None:
    """axe finds nothing serious with all figures loaded and with the drawer open, and nothing scrolls sideways."""
    with visit_as(look) as visit:
        page = visit.go(f"/cohorts/{COHORT}")
        loaded(page)
        assert fits(page)
        assert own_findings(page) == []
        page.locator("button.fact").first.click()
        expect(page.get_by_role("dialog").locator("ol > li").first).to_be_visible()
        assert own_findings(page) == []
