"""Graphs over time and the learning progress: numbers, both renderers, keyboard, and the sequences behind an edge."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import combinations
from typing import Any

import httpx
import numpy as np
import pytest
from console.browser.conftest import CHROMIUM, COHORT
from console.browser.visits import (
    LOOKS,
    Look,
    Visit,
    accessibility_findings,
    fits,
    visiting,
    wait_for_address,
)
from console.cohorts.event_tables import ReadTable, read_table
from playwright.sync_api import Browser, Page, Route, expect
from sequela_console.server import ConsoleServer
from waiting import eventually

PROGRESS = f"/cohorts/{COHORT}/progress"
GRID = f"/cohorts/{COHORT}/grid"
PAIR = ("amount", "country")
CLASS = {"kind": "label", "key": "outcome", "positive": "fraud"}
VARIANTS = ["checkpoint=1", "checkpoint=200", "checkpoint=600"]
RENDERER = """
() => {
  const gl = document.createElement("canvas").getContext("webgl2");
  return gl ? gl.getParameter(gl.getExtension("WEBGL_debug_renderer_info").UNMASKED_RENDERER_WEBGL) : "software";
}
"""
WITHOUT_WEBGL = ("--disable-gpu", "--disable-software-rasterizer")

Opened = Callable[[Look], AbstractContextManager[Visit]]


def view(**state: Any) -> str:
    """The state of a view as the address has it."""
    text = json.dumps({"v": 1, "class": CLASS, **state}).encode()
    return "?v=" + base64.urlsafe_b64encode(text).decode().rstrip("=")


def progress(**state: Any) -> str:
    """The address of the learning progress of the pair."""
    pair = {"primary": PAIR[0], "secondary": PAIR[1]}
    return PROGRESS + view(pair=pair, weight="attribution", **state)


def grid(primary: str, secondary: str, **state: Any) -> str:
    """The address of the grid with the graph of a pair."""
    return GRID + view(pair={"primary": primary, "secondary": secondary}, **state)


def drawn(page: Page, figure: int = 0) -> str:
    """Waits until a figure is drawn, and returns what drew it."""
    renderer = page.locator("[data-renderer]").nth(figure)
    renderer.wait_for(state="attached")
    return renderer.text_content() or ""


def as_if_with_a_graphics_unit(page: Page) -> None:
    """Lets the page use the WebGL2 of this browser, which runs on the processor; the page would prefer Canvas 2D."""

    def answer(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, body=found.text().replace("swiftshader", "none-of-these"))

    page.route("**/assets/graph.worker-*.js", answer)


@pytest.fixture(scope="module")
def table(console: ConsoleServer) -> ReadTable:
    """The events of all checkpoints, as the page reads them."""
    spec = {
        "variants": VARIANTS,
        "weight": "attribution",
        "class": CLASS,
        "bins": {"kind": "quantile", "count": 9},
        "steps": 64,
    }
    path = f"{console.url}/api/cohorts/{COHORT}/event-table"
    answer = httpx.get(path, params={"spec": json.dumps(spec)}, timeout=60)
    return read_table(answer.raise_for_status().content)


def counted(table: ReadTable, variant: int, low: float, high: float) -> tuple[int, int, int]:
    """Distinct edges, events and sequences of the pair, by going through all pairs of events one by one."""
    names = [each["name"] for each in table.header["attributes"]]
    places = [names.index(each) for each in PAIR]
    chosen: dict[int, list[tuple[int, ...]]] = {}
    for event, sequence in enumerate(table.sequence):
        levels = tuple(int(table.levels[place][event]) for place in places)
        inside = round(low * 65535) <= table.weight[event] <= round(high * 65535)
        if inside and table.variant[sequence] == variant and 255 not in levels:
            chosen.setdefault(int(sequence), []).append((int(table.step[event]), *levels))
    edges = Counter(pair for events in chosen.values() for pair in combinations(sorted(events), 2))
    return len(edges), sum(map(len, chosen.values())), len(chosen)


def test_the_numbers_beside_each_checkpoint(visit: Visit, table: ReadTable) -> None:
    """Are those of a count in plain Python; the rows are high and low weights, the columns the checkpoints."""
    page = visit.go(progress())
    drawn(page)
    rows = page.get_by_role("region", name="How much each graph is made of").locator("tbody tr")
    expect(rows).to_have_count(2 * len(VARIANTS))
    shown = [
        re.sub(r"(?<=\d),(?=\d)", "", " ".join(row.locator("th, td").all_text_contents()))
        for row in rows.all()
    ]
    expected = []
    for name, low, high in (("high", 0.6, 1), ("low", 0, 0.2)):
        for index, variant in enumerate(VARIANTS):
            numbers = " ".join(map(str, counted(table, index, low, high)))
            expected.append(f"{variant.replace('=', ' ')} {name} weights, {low:g} to {high:g} {numbers}")
    assert shown == expected


def test_weights_pair_and_checkpoints_follow_at_once(visit: Visit, table: ReadTable) -> None:
    """And the address keeps them, so that a reload shows the same."""
    page = visit.go(progress())
    drawn(page)
    numbers = page.get_by_role("region", name="How much each graph is made of")
    low_end = page.get_by_role("group", name="High weights").get_by_role("spinbutton").first
    low_end.fill("0.3")
    low_end.press("Enter")
    edges = f"{counted(table, 0, 0.3, 1)[0]:,}"
    numbers.locator("tr", has_text="checkpoint 1 ").first.get_by_text(edges, exact=True).first.wait_for()
    page.get_by_label("checkpoint 200").uncheck()
    page.get_by_role("application", name="Graphs of 2 checkpoints").wait_for()
    page.get_by_role("button", name="Swap").click()
    expect(page.get_by_label("First attribute")).to_have_value(PAIR[1])
    wait_for_address(page, f'"primary":"{PAIR[1]}"')
    page.reload()
    page.get_by_role("application", name="Graphs of 2 checkpoints").wait_for()
    expect(page.get_by_label("First attribute")).to_have_value(PAIR[1])
    numbers.get_by_text(edges, exact=True).first.wait_for()


def picture(page: Page) -> Any:
    """The pixels of the first figure: red, green, blue and opacity."""
    from PIL import Image  # noqa: PLC0415

    url = page.locator(".stage canvas").first.evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"), float)


@pytest.fixture(scope="module")
def browser_without_webgl(browser: Browser) -> Iterator[Browser]:
    """A browser on a machine without a graphics unit, and without one in software."""
    started = browser.browser_type.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--no-zygote", *WITHOUT_WEBGL]
    )
    yield started
    started.close()


@pytest.mark.parametrize("style", ["difference", "overlay"])
def test_both_renderers_give_the_same_picture(
    visit: Visit, browser_without_webgl: Browser, console: ConsoleServer, style: str
) -> None:
    """Within the rounding of many faint lines over one another; the page names the renderer."""
    as_if_with_a_graphics_unit(visit.page)
    page = visit.go(progress(style=style))
    if not drawn(page).startswith("WebGL2"):
        pytest.skip("this browser has no WebGL2")
    with visiting(browser_without_webgl, console.url) as other:
        assert drawn(other.go(progress(style=style))) == "Canvas 2D"
        one, two = picture(page), picture(other.page)
    assert one.shape == two.shape
    assert one[..., 3].mean() > 1
    difference = np.abs(one - two)[..., 3]
    assert difference.mean() < 0.01 * 255
    assert np.quantile(difference, 0.999) < 0.2 * 255
    visible = (one[..., 3] > 40) & (two[..., 3] > 40)
    assert np.abs(one - two)[visible][:, :3].mean() < 0.03 * 255


def test_without_a_canvas_in_workers_the_page_draws_itself(
    browser_without_webgl: Browser, console: ConsoleServer
) -> None:
    """The same picture as that of Canvas 2D in a worker."""
    with (
        visiting(browser_without_webgl, console.url) as one,
        visiting(browser_without_webgl, console.url) as two,
    ):
        two.page.add_init_script("delete window.OffscreenCanvas")
        for each in (one, two):
            assert drawn(each.go(progress())) == "Canvas 2D"
        assert np.abs(picture(one.page) - picture(two.page)).mean() < 0.2


def test_a_processor_draws_with_canvas(visit: Visit) -> None:
    """Shaders that run on the processor are slower than Canvas 2D, so they are not used."""
    found = drawn(visit.go(progress()))
    name = visit.page.evaluate(RENDERER)
    assert (found == "Canvas 2D") == bool(re.search("swiftshader|llvmpipe|software", name, re.IGNORECASE))


def test_a_context_that_is_lost_is_replaced(visit: Visit) -> None:
    """The graph is drawn with Canvas 2D from then on, and nobody has to do anything."""
    as_if_with_a_graphics_unit(visit.page)
    page = visit.go(progress())
    if not drawn(page).startswith("WebGL2"):
        pytest.skip("this browser has no WebGL2")
    workers = [worker for worker in page.workers if "graph.worker" in worker.url]
    assert len(workers) == 1
    workers[0].evaluate("() => { WebGL2RenderingContext.prototype.isContextLost = () => true }")
    page.get_by_text("Overlay", exact=True).click()
    page.locator("[data-renderer]", has_text="Canvas 2D").wait_for(state="attached")
    eventually(lambda: picture(page)[..., 3].mean() > 1)


def focus(page: Page, *keys: str) -> None:
    """Presses keys on the first figure."""
    page.get_by_role("application").first.focus()
    for key in keys:
        page.keyboard.press(key)


def edges_read_out(page: Page) -> list[int]:
    """How many sequences an edge or a node has, for each of two classes, as the first figure reads it out."""
    text = page.locator(".readout").first.inner_text()
    return [int(number) for number in re.findall(r"(\d+) of \d+ with", text)]


def drawer_total(page: Page) -> str:
    """The text of the drawer with the sequences."""
    drawer = page.get_by_role("dialog")
    drawer.locator("table, li, a").first.wait_for()
    return drawer.inner_text()


def as_many(edges: list[int], told: str) -> bool:
    """Whether the drawer has as many sequences as both edges together."""
    return len(edges) == 2 and bool(re.search(rf"\b{sum(edges)} sequence", told))


def test_an_edge_opens_as_many_sequences_as_it_counts(visit: Visit) -> None:
    """By keyboard alone: to a node, to its strongest edge, and Enter; and so does the node itself."""
    page = visit.go(progress())
    drawn(page)
    for keys in (("ArrowRight", "ArrowDown", "ArrowRight"), ("PageDown",)):
        focus(page, *keys)
        # A worker looks for the edges of a node, so it is read out a moment later.
        eventually(lambda: len(edges_read_out(page)) == 2)
        page.keyboard.press("Enter")
        told = drawer_total(page)
        eventually(lambda told=told: as_many(edges_read_out(page), told))  # type: ignore[misc]
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")


def test_the_strongest_edges_are_a_table(visit: Visit) -> None:
    """With the largest difference of shares first; each row opens its sequences."""
    page = visit.go(progress())
    drawn(page)
    page.get_by_role("button", name="Show the strongest lines as a table").click()
    rows = page.get_by_role("region", name=re.compile("strongest line")).locator("tbody tr")
    rows.nth(10).wait_for()
    cells = [row.locator("th, td").all_text_contents() for row in rows.all()]
    numbers = [(float(cell[4]), float(cell[6])) for cell in cells]
    assert 10 < len(cells) <= 200
    sizes = [abs(float(cell[8].replace("−", "-").replace("< 0.001", "0"))) for cell in cells]
    assert sizes == sorted(sizes, reverse=True)
    rows.first.get_by_role("button", name="Open").click()
    assert re.search(rf"\b{int(sum(numbers[0]))} sequence", drawer_total(page))


def test_a_region_is_marked_named_and_kept_in_the_link(visit: Visit) -> None:
    """From the keyboard alone; a reload shows it, and it can be removed."""
    page = visit.go(grid(*PAIR))
    panel = page.locator("section", has=page.get_by_role("heading", name="Amount and Country over time"))
    panel.get_by_role("button", name="Mark a region").click()
    panel.get_by_label("From event").select_option(label="3 before the latest")
    panel.get_by_label("To event").select_option(label="latest event")
    panel.get_by_label("Name").fill("late and abroad")
    panel.get_by_label("Name").press("Enter")
    panel.get_by_role("list", name="Marked regions").get_by_text("late and abroad").wait_for()
    wait_for_address(page, "late and abroad")
    page.reload()
    panel.get_by_role("list", name="Marked regions").get_by_text("late and abroad").wait_for()
    assert panel.locator("svg text", has_text="late and abroad").count() == 1
    panel.get_by_role("button", name="Remove region late and abroad").click()
    panel.get_by_role("list", name="Marked regions").wait_for(state="detached")


def test_swap_exchanges_primary_and_secondary(visit: Visit) -> None:
    """As the mirror image of a matrix does."""
    page = visit.go(grid(*PAIR))
    page.get_by_role("heading", name="Amount and Country over time").wait_for()
    page.get_by_role("button", name="Swap").click()
    page.get_by_role("heading", name="Country and Amount over time").wait_for()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_people_can_use_the_progress_with_what_they_have(visit_as: Opened, look: Look) -> None:
    """In light and dark, on a laptop and a phone: nothing serious for axe, and no scrolling sideways."""
    with visit_as(look) as visit:
        page = visit.go(progress())
        drawn(page)
        assert accessibility_findings(page) == []
        assert fits(page)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_people_can_use_a_pair_with_what_they_have(visit_as: Opened, look: Look) -> None:
    """The same for the graph of a pair, with a region being marked and the table of edges open."""
    with visit_as(look) as visit:
        page = visit.go(grid(*PAIR))
        panel = page.locator("section[aria-labelledby=pair-title]")
        panel.locator("[data-renderer]").wait_for(state="attached")
        panel.get_by_role("button", name="Mark a region").click()
        panel.get_by_role("button", name="Show the strongest lines as a table").click()
        found = accessibility_findings(page)
        html = panel.evaluate("node => node.innerHTML")
        own = [each for each in found if any(node.split(">")[0] in html for node in each["nodes"])]
        assert own == []
        assert panel.evaluate("node => node.scrollWidth <= node.clientWidth")
