"""The page of one alert in a browser: what it shows is what the service computed, and every part can be reached."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import httpx
import pytest
from console.browser.visits import LOOKS, Look, Visit, accessibility_findings, fits
from playwright.sync_api import Page, Route, expect
from sequela_client.attributions import Attribution
from sequela_client.client import Sequela
from sequela_client.explanation import Explanation
from sequela_console.server import ConsoleServer
from waiting import PATIENCE

NAME = "takeover-47"
OLDER = "44 older events together"
Document = dict[str, Any]


def explanation_of(console: ConsoleServer, name: str = NAME) -> Explanation:
    """The explanation as the service itself gives it."""
    with Sequela(console.console.settings.server) as service:
        found = next(each for each in service.list_explanations() if each.caller_id == name)
        return service.get_explanation(found.name)


def latest_first(explanation: Explanation) -> list[Attribution]:
    return sorted(explanation.events, key=lambda each: -(each.t or 0))


def id_of(console: ConsoleServer, name: str = NAME) -> str:
    return explanation_of(console, name).name.split("/")[1]


def opened(visit: Visit, console: ConsoleServer, name: str = NAME) -> Page:
    page = visit.go(f"/alerts/{id_of(console, name)}")
    expect(page.locator("h1")).to_have_text(name)
    return page


def number(text: str) -> float:
    """Reads a number as the page writes it, such as "−0.005" or "< +0.001", which is taken as 0."""
    if text.startswith(("<", ">")):
        return 0.0
    return float(re.sub(r"[^\d.-]", "", text.replace("−", "-")) or 0)


def figure_rows(page: Page, title: str) -> list[list[str]]:
    """The numbers of a figure, from its table."""
    figure = page.get_by_role("figure", name=title, exact=True)
    figure.get_by_text("Numbers", exact=True).click()
    rows = figure.locator("tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def test_the_history_comes_first(visit: Visit, console: ConsoleServer) -> None:
    """Newest event on top, each with its own effect; the pruned events are one row that opens into theirs."""
    page = opened(visit, console)
    table = page.get_by_role("grid", name="History")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(4)
    for row, effect in zip(rows.all()[:3], latest_first(explanation_of(console)), strict=True):
        assert number(row.locator("td.effect b").inner_text()) == pytest.approx(effect.value, abs=0.0005)
    expect(rows.first).to_contain_text("2,109.43 EUR")
    table.get_by_role("button", name=OLDER).click()
    expect(rows).to_have_count(4 + 44)
    # None of the older events has an effect of its own, so that none is shown as 0.
    assert rows.nth(10).locator("td.effect").inner_text() == "in the older events"
    assert "usual" in rows.nth(4).inner_text()


def test_all_is_seen_on_a_laptop(visit: Visit, console: ConsoleServer) -> None:
    """Score, decision, history, its effects, and all reasons stand on the first screen."""
    page = opened(visit, console)
    for seen in (
        page.locator(".score .number"),
        page.get_by_role("button", name="False positive"),
        page.get_by_role("grid", name="History"),
        page.get_by_role("button", name=OLDER),
        page.get_by_role("link", name=re.compile("points to a takeover")).nth(3),
    ):
        box = seen.bounding_box()
        assert box is not None
        assert box["y"] + min(box["height"], 40) < 720


def test_a_reason_leads_to_its_fact(visit: Visit, console: ConsoleServer) -> None:
    """Following a reason marks the cell behind it and gives it the focus."""
    page = opened(visit, console)
    page.get_by_role("link", name=re.compile("The amount of 2,109.43 EUR")).click()
    cell = page.locator("td.lit")
    expect(cell).to_be_focused()
    expect(cell).to_contain_text("2,109.43 EUR")
    expect(cell).to_contain_text("+0.228")


def test_facts_are_read_by_keyboard(visit: Visit, console: ConsoleServer) -> None:
    """Arrows move over the cells, Enter opens one in whole sentences, Esc closes it and gives the focus back."""
    page = opened(visit, console)
    page.locator("td[data-spot='0:0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Amount, latest event")
    expect(dialog).to_contain_text("raised the score by 0.228 (± 0.008)")
    expect(dialog).to_contain_text("this account's 46 earlier events")
    expect(dialog).to_contain_text("The model was given")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("td[data-spot='0:1']")).to_be_focused()


def test_values_are_compared_with_a_chosen_cohort(visit: Visit, console: ConsoleServer) -> None:
    """The address keeps the choice, and the table says what the standings are among."""
    page = opened(visit, console)
    note = page.locator("#history .constant").last
    expect(note).to_contain_text("latest stored alerts")
    page.get_by_label("Values are compared with").select_option(label="Compared with shop")
    expect(note).to_contain_text("events of the cohort shop")
    expect(page).to_have_url(re.compile(r"reference=shop"))
    page.get_by_label("Values are compared with").select_option(value="")
    expect(note).to_contain_text("latest stored alerts")


@pytest.mark.parametrize(
    ("title", "level"), [("Events", "events"), ("Features", "features"), ("Single facts", "cells")]
)
def test_figures_show_what_was_computed(visit: Visit, console: ConsoleServer, title: str, level: str) -> None:
    """The table of a figure has each attribution of its level once, and they add up to the score less its base."""
    explanation = explanation_of(console)
    found = {"events": explanation.event_level, "features": explanation.feature_level}.get(
        level, explanation.cell_level
    )
    assert found is not None
    shown = figure_rows(opened(visit, console), title)
    expected = sorted(item.value for item in found.attributions)
    assert sorted(number(row[1]) for row in shown) == pytest.approx(expected, abs=0.0011)
    whole = explanation.score - explanation.base_value
    assert sum(number(row[1]) for row in shown) == pytest.approx(whole, abs=0.001 * len(shown))
    # The interval is 1.96 standard errors to either side; exact numbers say so.
    margins = {"exact" if not item.standard_error else "±" for item in found.attributions}
    assert {row[2].split()[0] for row in shown} == margins


def test_numbers_stand_in_the_cells(visit: Visit, console: ConsoleServer) -> None:
    """The map of single facts has every number of the level in it, the older events among them."""
    page = opened(visit, console)
    map_text = page.get_by_role("figure", name="Single facts").locator("svg.drawing").text_content() or ""
    level = explanation_of(console).cell_level
    assert level is not None
    for item in level.attributions:
        assert f"{abs(item.value):.3f}" in map_text
    assert OLDER in map_text


def test_the_curve_of_pruning(visit: Visit, console: ConsoleServer) -> None:
    """Both parts add up to the whole at each cut; all cuts come on request."""
    page = opened(visit, console)
    explanation = explanation_of(console)
    title = "Where older events stop mattering"
    figure = page.get_by_role("figure", name=title)
    expect(figure.locator("svg")).to_contain_text("44 events taken together")
    figure.get_by_role("button", name="Compute all 46 cuts").click()
    expect(figure.get_by_role("button", name="Compute all")).to_have_count(0)
    rows = figure_rows(page, title)
    assert len(rows) == 46
    whole = explanation.score - explanation.base_value
    assert all(number(older) + number(newer) == pytest.approx(whole, abs=0.002) for _, older, newer in rows)
    stored = {f"−{-point.t}": point.importance for point in explanation.pruning.curve}
    for t, older, _ in rows:
        if t in stored:
            assert number(older) == pytest.approx(stored[t], abs=0.0011)


def test_what_would_have_to_change(visit: Visit, console: ConsoleServer) -> None:
    """Each change found can be tried, and the model then gives the score that was promised."""
    page = opened(visit, console)
    panel = page.get_by_role("region", name="What would have to change")
    panel.get_by_role("button", name="Search").click()
    first = panel.get_by_role("listitem").first
    promised = re.search(r"would score (\S+)", first.inner_text())
    assert promised is not None
    assert float(promised[1]) < 0.8465
    first.get_by_role("button").click()
    drawer = page.get_by_role("dialog", name="Change values")
    expect(drawer.locator(".result .number")).to_have_text(promised[1])
    expect(drawer).to_contain_text("No alert")


def test_a_value_changed_by_hand(visit: Visit, console: ConsoleServer) -> None:
    """The new score comes at once, and the explanation of the changed sequence beside the original."""
    page = opened(visit, console)
    page.get_by_role("button", name="Change values by hand").click()
    drawer = page.get_by_role("dialog", name="Change values")
    drawer.get_by_label("Feature", exact=True).select_option("amount")
    drawer.get_by_label("New value").fill("12")
    drawer.get_by_role("button", name="Change and score again").click()
    result = drawer.locator(".result .number")
    expect(result).to_be_visible()
    score = result.inner_text()
    drawer.get_by_role("button", name="Explain, and compare").click()
    expect(page.locator("h1")).to_have_text("Compare")
    changed = page.get_by_role("region", name=re.compile("changed values"))
    expect(changed.locator(".number")).to_have_text(score)
    expect(changed).to_contain_text("2,109.43 EUR, to the model 2,109.27 EUR → 12 EUR")


def test_two_alerts_side_by_side(visit: Visit, console: ConsoleServer) -> None:
    """The difference of each player is the right effect less the left one."""
    left, right = id_of(console), id_of(console, "takeover-20")
    page = visit.go(f"/compare?left=alert:{left}&right=alert:{right}")
    page.get_by_role("heading", name="Features").wait_for()
    rows = (
        page.locator("section").filter(has=page.get_by_role("heading", name="Features")).locator("tbody tr")
    )
    for row in rows.all():
        one, other, difference = (number(each.split("±")[0]) for each in row.locator("td").all_inner_texts())
        assert difference == pytest.approx(other - one, abs=0.0016)


def test_it_is_computed_again(visit: Visit, console: ConsoleServer) -> None:
    page = opened(visit, console)
    page.get_by_role("button", name="Compute again").click()
    expect(page.get_by_role("dialog")).to_contain_text("The same numbers, to the last bit.")


def test_people_say_something(visit: Visit, console: ConsoleServer) -> None:
    """A note and a wrong reason are kept, shown, and stand in the trail."""
    page = opened(visit, console, "takeover-20")
    page.keyboard.press("m")
    page.get_by_role("dialog").get_by_role("textbox").fill("Called the client.")
    page.get_by_role("button", name="Save note").click()
    said = page.get_by_role("region", name="Decisions and notes")
    expect(said).to_contain_text("Called the client.")
    page.keyboard.press("r")
    page.get_by_role("dialog").get_by_role("textbox").fill("It is her own phone.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(said).to_contain_text("It is her own phone.")
    expect(said).to_contain_text("Reason wrong: Device, latest event")
    expect(page.get_by_role("region", name="Who did what")).to_contain_text(
        "Anna Analyst (not verified) opened it"
    )


def test_somebody_else_was_faster(visit: Visit, console: ConsoleServer) -> None:
    """A decision that somebody made meanwhile is not overwritten; the page says whose it is."""
    id = id_of(console, "false-alert")
    page = opened(visit, console, "false-alert")
    expect(page.get_by_text("Not decided", exact=True)).to_be_visible()
    with httpx.Client(base_url=console.url, timeout=PATIENCE) as other:
        other.post("/api/session", json={"name": "Other Person"}).raise_for_status()
        label = {"verdict": "fraud", "previous": None}
        other.post(f"/api/alerts/{id}/labels", json=label).raise_for_status()
    visit.expected.append("409")
    page.keyboard.press("p")
    expect(page.get_by_role("group", name="Decide")).to_contain_text("Other Person")
    expect(page.locator("h1")).to_have_text("false-alert")


def changed_document(page: Page, change: Callable[[Document], object]) -> None:
    """Changes the answer of the console on its way to the page."""

    def answer(route: Route) -> None:
        response = route.fetch()
        document = response.json()
        change(document)
        route.fulfill(response=response, body=json.dumps(document))

    page.route(re.compile(r"/api/alerts/[0-9a-f]+(\?.*)?$"), answer)


def refuse(document: Document, *capabilities: str) -> None:
    for name in capabilities:
        document["capabilities"][name] = {"ok": False, "why": f"Why there is no {name}."}


def without_sequence(document: Document) -> None:
    document["history"] = []
    refuse(document, "history", "percentiles", "score", "explain", "replay", "changes")


def inline_model(document: Document) -> None:
    document["explanation"]["model"] = ""
    refuse(document, "percentiles", "score", "explain", "replay", "changes", "similar")


def only_scored(document: Document) -> None:
    document["explanation"].update(
        explained=False, event_level=None, feature_level=None, cell_level=None, pruning=None, reasons=[]
    )
    document["cautions"] = ["The score is below the least score that is explained."]
    refuse(document, "changes", "similar")


def events_only(document: Document) -> None:
    document["explanation"].update(feature_level=None, cell_level=None, reasons=[])


def without_times(document: Document) -> None:
    for event in document["history"]:
        event["time"] = None


def two_targets(document: Document) -> None:
    target = document["explanation"]["targets"][0]
    document["explanation"]["targets"].append({**target, "name": "other", "label": "Another score"})


def without_threshold(document: Document) -> None:
    document.update(alert=None, threshold={"value": None, "source": "none"})


CASES = {
    "sequence not kept": (without_sequence, "Why there is no history."),
    "inline model": (inline_model, "Why there is no similar."),
    "only scored": (only_scored, "Only the score of 0.998 was computed"),
    "events only": (events_only, "No single fact stands out"),
    "no times": (without_times, "latest event"),
    "two targets": (two_targets, "Another score"),
    "no threshold": (without_threshold, "no threshold"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_there_is_said(visit: Visit, console: ConsoleServer, case: str) -> None:
    """Each part that cannot be shown says why in its place, and everything else works."""
    change, words = CASES[case]
    changed_document(visit.page, change)
    page = opened(visit, console)
    expect(page.get_by_text(words).first).to_be_attached()
    assert "undefined" not in page.locator("main").inner_text()
    assert "NaN" not in page.locator("main").inner_text()
    assert accessibility_findings(page) == []


def test_a_failure_can_be_tried_again(visit: Visit, console: ConsoleServer) -> None:
    """The service is down for a moment: the page says so, and one button later it is there."""
    id = id_of(console)
    failures = iter([503])

    def answer(route: Route) -> None:
        status = next(failures, None)
        error = {"error": {"reason": "SERVICE_DOWN", "message": "The service does not answer."}}
        if status is None:
            route.fallback()
        else:
            route.fulfill(status=status, json=error)

    visit.page.route(re.compile(r"/api/alerts/[0-9a-f]+$"), answer)
    visit.expected.append("503")
    page = visit.go(f"/alerts/{id}")
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("h1")).to_have_text(NAME)


def press(key: str, page: Page) -> None:
    page.keyboard.press(key)
    page.get_by_role("dialog").wait_for()


def choose(name: str, page: Page) -> None:
    page.get_by_role("button", name=name).first.click()
    page.get_by_role("dialog").wait_for()


STATES: dict[str, Callable[[Page], object]] = {
    "page": lambda page: page.wait_for_load_state("networkidle"),
    "older events": lambda page: page.get_by_role("button", name=OLDER).click(),
    "share": partial(press, "s"),
    "note": partial(press, "m"),
    "wrong reason": partial(press, "r"),
    "edit": partial(choose, "Change values by hand"),
    "other model": partial(choose, "Another model"),
}


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("state", STATES)
def test_nothing_serious(
    state: str,
    look: Look,
    visit_as: Callable[[Look], AbstractContextManager[Visit]],
    console: ConsoleServer,
) -> None:
    """axe-core finds nothing serious, and nothing is wider than the window."""
    with visit_as(look) as visit:
        page = opened(visit, console)
        STATES[state](page)
        assert accessibility_findings(page) == []
        assert fits(page)
