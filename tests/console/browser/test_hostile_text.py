"""Text that would be a script, a tag or another direction of writing if a page took it for more than text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from console.browser.visits import visiting
from console.cohort_files import FEATURES, read_rows, write_cohort, write_rows
from console.filled_service import MODEL, simulated_sequence
from console.running_console import running_console
from playwright.sync_api import Browser
from sequela_client.client import Sequela
from sequela_client.inputs import EventInfo, Sequence
from sequela_client.local_server import server_package
from sequela_console.server import ConsoleServer
from serving import Serving, embedded
from waiting import PATIENCE, eventually

SCRIPT = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
TEXTS = (
    SCRIPT,
    "\"'><svg onload=window.hacked=1>",
    "{{constructor}}${1}",
    "\u202eabc",
    "javascript:window.hacked=1",
)
COHORT = "<b>shop&amp;</b>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleServer, str]]:
    """A console whose every text is hostile, and the id of an alert."""
    folder = tmp_path_factory.mktemp("hostile")
    whole = write_cohort(folder / "whole", count=8)
    features = [{**each, "label": f"{each['label']} {SCRIPT}", "unit": SCRIPT} for each in FEATURES]
    rows = [{**row, "labels": {SCRIPT: SCRIPT}} if "labels" in row else row for row in read_rows(whole)]
    cohort = write_rows(folder / "shop", rows, features)
    models = server_package() / "demo" / "models"
    with Serving(embedded(model_repository=models)) as service, Sequela(service.bound.grpc) as sequela:
        for number, text in enumerate(TEXTS):
            sequela.explain(sequence(number, text), model=MODEL, target_standard_error=0.05)
        with running_console(service.bound.grpc, folder, cohorts={COHORT: cohort}) as running:
            eventually(lambda: running.console.index.state().complete)
            found = httpx.get(f"{running.url}/api/alerts", timeout=PATIENCE).json()["alerts"]
            id = next(each["id"] for each in found if each["callerId"] == SCRIPT)
            for label in (
                {"verdict": "fraud", "note": SCRIPT, "previous": None},
                {"verdict": "note", "note": SCRIPT},
            ):
                httpx.post(
                    f"{running.url}/api/alerts/{id}/labels", json=label, timeout=PATIENCE
                ).raise_for_status()
            yield running, id


def sequence(number: int, text: str) -> Sequence:
    """A simulated sequence with hostile ids, labels and texts."""
    plain = simulated_sequence(number)
    events = tuple(
        EventInfo(id=f"{place} {text}"[:100], time=each.time) for place, each in enumerate(plain.events)
    )
    return Sequence(plain.inputs, events, text, {"account": text, "note": SCRIPT})


PAGES = (
    "/alerts",
    "/alerts/{id}",
    f"/alerts?q={quote(SCRIPT)}&label={quote(SCRIPT)}",
    f"/alerts/{quote(SCRIPT, safe='')}",
    "/compare?left=alert:{id}&right=alert:{id}",
    "/cohorts",
    f"/cohorts/{quote(COHORT, safe='')}",
    f"/cohorts/{quote(COHORT, safe='')}/grid",
    f"/cohorts/{quote(COHORT, safe='')}/progress",
    f"/cohorts/{quote(SCRIPT, safe='')}",
    f"/{quote(SCRIPT, safe='')}",
    f"/s/{quote(SCRIPT, safe='')}",
    "/alerts?v=" + "eyJ2IjoxfQ",
    "/alerts/{id}?v=%00<script>",
    "/embed/alerts/{id}#" + quote(SCRIPT),
)


@pytest.mark.parametrize("path", PAGES)
def test_it_stays_text(browser: Browser, hostile: tuple[ConsoleServer, str], path: str) -> None:
    console, id = hostile
    with visiting(browser, console.url, name=f"Anna {SCRIPT}") as visit:
        visit.expected.extend(["404", "400", "401", "409", "Failed to load resource"])
        visit.page.goto(console.url + path.replace("{id}", id))
        visit.page.wait_for_load_state("networkidle")
        assert visit.page.evaluate("window.hacked") is None
        if path in ("/alerts", "/alerts/{id}"):
            visit.page.get_by_text("<img src=x").first.wait_for()
        assert visit.page.locator("img[src=x], svg[onload], b:text-is('shop&')").count() == 0
        assert visit.page.url.startswith(console.url)


def test_the_shared_file_stays_text(
    browser: Browser, hostile: tuple[ConsoleServer, str], tmp_path: Path
) -> None:
    """Opened from the disk it has no policy of the console, so it must be harmless by itself."""
    console, id = hostile
    with visiting(browser, console.url) as visit:
        page = visit.go(f"/alerts/{id}")
        page.locator("table[aria-label^=History]").wait_for()
        page.keyboard.press("s")
        with page.expect_download() as waiting:
            page.get_by_role("dialog").get_by_role("button", name="One page").click()
        waiting.value.save_as(tmp_path / "shared.html")
        page.goto((tmp_path / "shared.html").as_uri())
        visit.complaints.clear()
        assert page.evaluate("window.hacked") is None
        assert page.locator("img, script").count() == 0
        assert "<img src=x" in page.locator("body").inner_text()
