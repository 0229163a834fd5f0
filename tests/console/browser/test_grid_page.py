"""The matrix grid: its numbers, colours, menu and keyboard, and the sequences behind a cell."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from console.browser.conftest import COHORT
from console.browser.visits import LOOKS, Look, Visit, accessibility_findings, fits, wait_for_address
from console.cohorts.event_tables import ReadTable, read_table
from playwright.sync_api import Locator, Page, expect
from sequela_console.server import ConsoleServer
from waiting import eventually

GRID = f"/cohorts/{COHORT}/grid"
CLASS = {"kind": "label", "key": "outcome", "positive": "fraud"}
VARIANT = "checkpoint=600"
NUMBER = re.compile(r"[+−]?[\d.,]+(?: × 10[⁻\d⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

# A copy is read, because browsers complain about reading a canvas that is drawn often.
PIXEL = """
(canvas, [x, y]) => {
  const copy = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  copy.drawImage(canvas, -x, -y);
  return [...copy.getImageData(0, 0, 1, 1).data];
}
"""

Opened = Callable[[Look], AbstractContextManager[Visit]]


def view(**state: Any) -> str:
    """The address of the grid in a state."""
    text = json.dumps({"v": 1, "class": CLASS, "variants": [VARIANT], **state}).encode()
    return f"{GRID}?v={base64.urlsafe_b64encode(text).decode().rstrip('=')}"


def pair(primary: str, secondary: str) -> dict[str, str]:
    return {"primary": primary, "secondary": secondary}


@pytest.fixture(scope="module")
def table(console: ConsoleServer) -> ReadTable:
    """The events of the last checkpoint, as the page reads them."""
    spec = {
        "variants": [VARIANT],
        "weight": "attribution",
        "class": CLASS,
        "bins": {"kind": "quantile", "count": 9},
        "steps": 64,
    }
    path = f"{console.url}/api/cohorts/{COHORT}/event-table"
    return read_table(
        httpx.get(path, params={"spec": json.dumps(spec)}, timeout=60).raise_for_status().content
    )


@dataclass(frozen=True)
class Cell:
    """What a cell should show: fraud minus the others."""

    saliency: float
    variance: float
    events: tuple[int, int]


def counted(
    table: ReadTable,
    names: tuple[str, str],
    levels: tuple[int, int],
    weights: tuple[float, float] = (0, 1),
    steps: tuple[int, int] | None = None,
) -> Cell:
    """The numbers of a cell by going through all events one by one."""
    places = [
        next(i for i, a in enumerate(table.header["attributes"]) if a["name"] == name) for name in names
    ]
    first, last = steps or (0, table.header["steps"] - 1)
    heat = {1: [0.0] * (last - first + 1), 0: [0.0] * (last - first + 1)}
    events = {1: 0, 0: 0}
    for event, sequence in enumerate(table.sequence):
        inside = round(weights[0] * 65535) <= table.weight[event] <= round(weights[1] * 65535)
        found = tuple(int(table.levels[place][event]) for place in places)
        if not inside or found != levels or not first <= table.step[event] <= last:
            continue
        positive = int(table.classes[sequence])
        heat[positive][int(table.step[event]) - first] += int(table.weight[event]) / 65535
        events[positive] += 1
    sizes = {1: table.header["class"]["positives"], 0: table.header["class"]["negatives"]}
    sums, variances = {}, {}
    for positive, found_heat in heat.items():
        normal = [each / sizes[positive] for each in found_heat]
        mean = sum(normal) / len(normal)
        sums[positive] = sum(normal)
        variances[positive] = sum((each - mean) ** 2 for each in normal) / len(normal)
    return Cell(sums[1] - sums[0], variances[1] - variances[0], (events[1], events[0]))


def value_of(words: str) -> float:
    """The value in the words of a cell, such as "+1.2 × 10⁻⁶"."""
    found = NUMBER.search(words.partition(") ")[2])
    assert found, words
    digits, _, power = found.group().replace("−", "-").replace(",", "").partition(" × 10")
    return float(digits) * 10.0 ** int(power.translate(SUPERSCRIPTS) or 0 if power else 0)


def events_in(words: str) -> tuple[int, int]:
    """The events of both classes in the words of a cell."""
    positive, negative = re.findall(r"([\d,]+) (?:events? )?of ", words.rpartition(";")[2])
    return int(positive.replace(",", "")), int(negative.replace(",", ""))


def enlarged(page: Page) -> Locator:
    """The rows of the enlarged matrix."""
    rows = page.locator(".pair table[role=grid] tbody tr")
    rows.first.wait_for()
    return rows


def words_of(row: Locator, column: int) -> str:
    return row.locator("td").nth(column).get_attribute("aria-label") or ""


def levels_of(table: ReadTable, name: str) -> list[int]:
    place = next(i for i, a in enumerate(table.header["attributes"]) if a["name"] == name)
    return sorted({int(each) for each in table.levels[place]} - {255})


@pytest.mark.parametrize("names", [("amount", "country"), ("country", "amount")], ids=" by ".join)
def test_the_numbers_of_a_matrix(visit: Visit, table: ReadTable, names: tuple[str, str]) -> None:
    """Are those of a count in plain Python: weight below the diagonal, variance above it, column first."""
    page = visit.go(view(pair=pair(*names)))
    rows = enlarged(page).all()
    columns, levels = levels_of(table, names[0]), levels_of(table, names[1])
    assert len(rows) == len(levels)
    # amount is the first attribute, so its column with the row of country is below the diagonal.
    below = names[0] == "amount"
    for row, second in zip(rows, levels, strict=True):
        for place, first in enumerate(columns):
            cell = counted(table, names, (first, second))
            words = words_of(row, place)
            if cell.events == (0, 0):
                assert words == "no events"
                continue
            assert ("weight per sequence" in words) == below
            assert ("variance over time" in words) == (not below)
            assert events_in(words) == cell.events
            wanted = cell.saliency if below else cell.variance
            assert value_of(words) == pytest.approx(wanted, rel=0.06, abs=1e-9)
            assert row.locator("td").nth(place).inner_text().startswith("−" if wanted < 0 else "+")


def test_a_matrix_of_one_attribute_has_its_single_levels(visit: Visit, table: ReadTable) -> None:
    """On the diagonal stand the levels of one attribute."""
    page = visit.go(view(pair=pair("visits", "visits")))
    for row, level in zip(enlarged(page).all(), levels_of(table, "visits"), strict=True):
        cell = counted(table, ("visits", "visits"), (level, level))
        assert events_in(words_of(row, 0)) == cell.events
        assert value_of(words_of(row, 0)) == pytest.approx(cell.saliency, rel=0.01, abs=1e-9)


def test_colours_point_to_the_class_with_more_weight(visit: Visit, table: ReadTable) -> None:
    """Warm where fraud has more weight, cool where the others have; in the paper's colours the other way round."""
    page = visit.go(view())
    names = [each["name"] for each in table.header["attributes"]]
    matrix = page.locator(f'[data-matrix="{names.index("amount")}-{names.index("country")}"]')
    matrix.wait_for()
    columns, rows = levels_of(table, "amount"), levels_of(table, "country")

    def warmth(i: int, j: int) -> int:
        box, grid = matrix.bounding_box(), page.locator(".grid canvas").bounding_box()
        assert box is not None
        assert grid is not None
        x = box["x"] - grid["x"] + (i + 0.4) * box["width"] / len(columns)
        y = box["y"] - grid["y"] + (j + 0.4) * box["height"] / len(rows)
        red, _, blue, _ = page.locator(".grid canvas").evaluate(PIXEL, [x, y])
        return int(red) - int(blue)

    cells = {(i, j): counted(table, ("amount", "country"), (columns[i], rows[j])).saliency
             for i in range(len(columns)) for j in range(len(rows))}  # fmt: skip
    strong = {key: value for key, value in cells.items() if abs(value) > max(map(abs, cells.values())) / 50}
    assert all((warmth(*key) > 0) == (value > 0) for key, value in strong.items())
    page.get_by_text("As in the paper").click()
    expect(page.get_by_role("radio", name="As in the paper")).to_be_checked()
    assert all((warmth(*key) < 0) == (value > 0) for key, value in strong.items())


def test_weights_time_and_classes_follow_at_once(visit: Visit, table: ReadTable) -> None:
    """And the address keeps them, so that a reload shows the same."""
    page = visit.go(view(pair=pair("amount", "country")))
    first = enlarged(page).first
    page.get_by_role("button", name="High, 0.6 to 1").click()
    page.get_by_role("button", name="Q4: last quarter").click()
    levels = levels_of(table, "amount")[0], levels_of(table, "country")[0]
    steps = (table.header["steps"] * 3 // 4, table.header["steps"] - 1)
    cell = counted(table, ("amount", "country"), levels, (0.6, 1), steps)
    eventually(lambda: events_in(words_of(first, 0)) == cell.events)
    low = page.get_by_role("slider", name="Weight of an event: from")
    low.focus()
    low.press("ArrowLeft")
    cell = counted(table, ("amount", "country"), levels, (0.595, 1), steps)
    eventually(lambda: events_in(words_of(first, 0)) == cell.events)
    page.get_by_label("Classes", exact=True).and_(page.locator("select")).select_option("both")
    expect(first.locator("td").first).to_have_attribute("aria-label", re.compile("fraud and .* together"))
    shown = words_of(first, 0)
    wait_for_address(page, '"both"')
    page.reload()
    expect(enlarged(page).first.locator("td").first).to_have_attribute("aria-label", shown)


def test_by_keyboard_from_the_grid_to_the_sequences_and_back(visit: Visit, table: ReadTable) -> None:
    """Arrows move over matrices and cells, Enter enlarges, o opens the sequences, Escape goes back step by step."""
    page = visit.go(view())
    names = [each["name"] for each in table.header["attributes"]]
    page.locator('[data-matrix="0-0"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.matrix") == "1-2"
    live = page.locator(".figure > [role=status]")
    expect(live).to_contain_text("Strongest: ")
    page.keyboard.press("Enter")
    cell = page.locator(".pair td:focus")
    cell.wait_for()
    place = cell.evaluate("td => [td.cellIndex - 1, td.parentElement.sectionRowIndex]")
    levels = levels_of(table, names[1])[place[0]], levels_of(table, names[2])[place[1]]
    positive, negative = counted(table, (names[1], names[2]), levels).events
    page.keyboard.press("o")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text(f"with {positive + negative:,} such event")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    cell.wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".pair")).to_have_count(0)
    assert page.evaluate("document.activeElement.dataset.matrix") == "1-2"


def test_the_mirror_image_exchanges_the_attributes(visit: Visit) -> None:
    """A click on a matrix opens it; its mirror image has the other attribute first, and shows the variance."""
    page = visit.go(view())
    page.locator('[data-matrix="0-2"]').click()
    matrix = page.locator(".pair table[role=grid]")
    matrix.wait_for()
    before = matrix.get_attribute("aria-label") or ""
    first, second = re.fullmatch("(.+) by (.+): weight per sequence", before).groups()  # type: ignore[union-attr]
    page.get_by_role("button", name="Mirror image").click()
    expect(matrix).to_have_attribute("aria-label", f"{second} by {first}: variance over time")
    page.get_by_role("heading", name=f"{second} and {first} over time").wait_for()


def test_attributes_are_left_out_added_and_moved(visit: Visit, table: ReadTable) -> None:
    """The grid has a matrix for each pair of those that are left, in the reader's order."""
    page = visit.go(view())
    labels = [each["label"] for each in table.header["attributes"]]
    names = page.locator(".figure text.name.left > title")
    expect(names).to_have_text(labels)
    page.get_by_role("button", name=f"Leave out {labels[1]}").click()
    expect(names).to_have_text([labels[0], *labels[2:]])
    expect(page.locator(".matrix")).to_have_count((len(labels) - 1) ** 2)
    page.get_by_role("button", name=f"Move {labels[0]}").focus()
    page.keyboard.press("ArrowDown")
    expect(names).to_have_text([labels[2], labels[0], *labels[3:]])
    assert labels[0] in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.locator(".added").get_by_role("button", name=labels[1]).click()
    expect(names).to_have_text([labels[2], labels[0], *labels[3:], labels[1]])
    page.get_by_role("button", name="Show all").click()
    expect(names).to_have_text(labels)


def test_an_attribute_is_dragged_to_another_place(visit: Visit, table: ReadTable) -> None:
    """By mouse: it takes the place of the one on which it is dropped, in the grid too, and the link keeps it."""
    page = visit.go(view())
    labels = [each["label"] for each in table.header["attributes"]]
    names = page.locator(".figure text.name.left > title")
    expect(names).to_have_text(labels)
    items = page.locator("ol > li[draggable=true]")
    items.filter(has=page.get_by_role("button", name=f"Move {labels[-1]}")).drag_to(items.first)
    moved = [labels[-1], *labels[:-1]]
    expect(names).to_have_text(moved)
    expect(page.get_by_role("status").filter(has_text=f"{labels[-1]} is now number 1")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?v="))
    wait_for_address(page, f'["{table.header["attributes"][-1]["name"]}"')
    page.reload()
    expect(names).to_have_text(moved)


def test_a_failure_says_what_to_do_and_can_be_tried_again(visit: Visit) -> None:
    """And the menu stays, so that something else can be chosen."""
    visit.expected.append("503")
    error = {"error": {"reason": "SERVICE_DOWN", "message": "The service does not answer."}}
    visit.page.route("**/event-table?*", lambda route: route.fulfill(status=503, json=error))
    page = visit.go(view())
    expect(page.get_by_role("alert")).to_contain_text("The events could not be loaded")
    page.get_by_label("Positive class", exact=True).wait_for()
    page.unroute("**/event-table?*")
    page.get_by_role("button", name="Try again").click()
    page.locator(".matrix").first.wait_for()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_nothing_serious_with_a_pair_open(look: Look, visit_as: Opened) -> None:
    """axe finds nothing serious in grid, enlarged matrix and table of numbers; nothing scrolls sideways."""
    with visit_as(look) as visit:
        page = visit.go(view(pair=pair("amount", "country")))
        enlarged(page)
        page.get_by_role("button", name="Show numbers").first.click()
        assert accessibility_findings(page) == []
        assert fits(page)
