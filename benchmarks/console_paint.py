"""How long the pages of the console take to show something: first and largest contentful paint, as Chromium notes them.

    sequela console --demo --no-open           in another terminal
    python -m benchmarks.console_paint [--url URL] [--chromium PATH] [--visits N]

Each visit has a new profile, so nothing is in the browser's cache. The budget is one second to the first paint. Nothing
else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from benchmarks.machine import this_machine

BUDGET_MILLISECONDS = 1_000
SETTLE_MILLISECONDS = 1_500
# The largest paint is known once the page has come to rest; the browser keeps telling larger ones until then.
OBSERVER = """
localStorage.sequela ??= JSON.stringify({ name: "benchmark" });
window.paints = {};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.paints[entry.name || "largest"] = entry.startTime;
}).observe({ type: "paint", buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.paints.largest = entry.startTime;
}).observe({ type: "largest-contentful-paint", buffered: true });
"""


@dataclass(frozen=True, slots=True)
class Paint:
    """When a page showed something, in milliseconds after it was asked for.

    Args:
        first: the first text, picture or line.
        largest: the largest part of the page, which is there when the page can be read.
    """

    first: float
    largest: float


def main() -> None:
    """Prints a line for each page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://localhost:8050", help="where the console is")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    parser.add_argument("--visits", type=int, default=10, help="of each page")
    chosen = parser.parse_args()
    print(this_machine())
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
        for path in _paths(browser, chosen.url):
            _tell(path, [_visit(browser, chosen.url + path) for _ in range(chosen.visits)])
        browser.close()


def _paths(browser: Browser, url: str) -> Iterator[str]:
    """Yields the list, its first alert, the cohorts, and the pages of the first cohort."""
    page = browser.new_page()
    page.add_init_script(OBSERVER)
    page.goto(f"{url}/alerts")
    first = page.locator("tbody a").first.get_attribute("href") or ""
    page.goto(f"{url}/cohorts")
    cohort = page.locator('main a[href^="/cohorts/"]').first.get_attribute("href") or ""
    page.close()
    yield from ("/alerts", first.partition("?")[0], "/cohorts", cohort, f"{cohort}/grid")


def _visit(browser: Browser, address: str) -> Paint:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.add_init_script(OBSERVER)
    page.goto(address)
    page.locator("h1").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    found = json.loads(page.evaluate("JSON.stringify(window.paints)"))
    context.close()
    return Paint(found["first-contentful-paint"], found["largest"])


def _tell(path: str, paints: list[Paint]) -> None:
    first = np.array([each.first for each in paints])
    largest = np.array([each.largest for each in paints])
    verdict = "within" if first.max() <= BUDGET_MILLISECONDS else "ABOVE"
    print(
        f"{path:45} first paint median {np.median(first):5.0f} ms, largest {first.max():5.0f} ms "
        f"({verdict} {BUDGET_MILLISECONDS} ms); largest part median {np.median(largest):5.0f} ms"
    )


if __name__ == "__main__":
    main()
