"""The page of an alert in a browser: from disk, under its own policy, light and dark, on paper, and without scripts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from client.made_explanations import demo_alerts
from client.test_pages import hostile
from console.browser.visits import accessibility_findings
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("SEQUELA_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium; install one, or set SEQUELA_CHROMIUM"),
]

# What a page reports when its policy forbids something.
VIOLATIONS = """
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(e.violatedDirective + e.blockedURI));
"""
# Elements whose text is wider than their box, apart from those that scroll and those for screen readers only.
CUT_OFF = """
() => [...document.querySelectorAll('body *')]
  .filter(e => e.scrollWidth > e.clientWidth + 2 && e.clientWidth > 2 && !e.closest('svg')
    && getComputedStyle(e).display !== 'inline' && getComputedStyle(e).overflowX !== 'auto')
  .map(e => e.tagName + ' ' + e.textContent.slice(0, 40))
"""
# Titles of the figures that can be seen.
FIGURES = """
() => [...document.querySelectorAll('figure[data-figure]')]
  .filter(e => e.querySelector('svg').getBoundingClientRect().width > 100)
  .map(e => e.dataset.figure)
"""
ALL_FIGURES = ["Events", "Single facts", "Features", "Where older events stop mattering"]
# The rows of the numbers of a figure, which are folded.
NUMBERS = """
title => [...document.querySelectorAll(`figure[data-figure="${title}"] tbody tr`)]
  .map(row => [...row.cells].map(cell => cell.textContent))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Containers often run tests as root, where chromium's sandbox does not start.
    flags = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    with sync_playwright() as tools:
        started = tools.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


class Seen:
    """A page with everything that it complained about or asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.add_init_script(VIOLATIONS)

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        assert self.page.evaluate("window.violations") == []
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith("data:")] == [path.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["takeover-47", "takeover-286"])
def test_it_opens_from_disk(browser: Browser, tmp_path: Path, name: str, scheme: str) -> None:
    """Without a complaint, a violation of its policy or a request; all figures are drawn, and nothing is cut off."""
    path = tmp_path / "alert.html"
    path.write_text(demo_alerts()[name].to_html(), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1100, "height": 900})  # type: ignore[arg-type]
    seen = Seen(context.new_page())
    seen.open(path)
    assert seen.page.evaluate(FIGURES) == ALL_FIGURES
    assert seen.page.evaluate(CUT_OFF) == []
    # The tables for readers without scripts are gone, so that nothing is said twice.
    assert seen.page.locator("h1").count() == 1
    # The style counts: its hash is the one that the policy names.
    paper, ink = seen.page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    bright = ["rgb(255, 255, 255)", "rgb(20, 24, 31)"]
    assert ([paper, ink] == bright) == (scheme == "light")
    context.close()


def test_figures_have_the_numbers_of_the_explanation(browser: Browser, tmp_path: Path) -> None:
    """Their tables name every player of their level with its value; a value of the history opens with its sentence."""
    alert = demo_alerts()["takeover-47"]
    path = tmp_path / "alert.html"
    path.write_text(alert.to_html(), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen = Seen(context.new_page())
    seen.open(path)
    for title, level in (("Events", "event"), ("Features", "feature"), ("Single facts", "cell")):
        shown = [row[1] for row in seen.page.evaluate(NUMBERS, title)]
        values = [each.value for each in alert.levels[level].attributions]
        assert sorted(map(number, shown)) == pytest.approx(sorted(values), abs=0.0006), title
    seen.page.get_by_role("gridcell").filter(has_text="2,109.43").click()
    assert "2,109.43" in seen.page.get_by_role("dialog").inner_text()
    context.close()


def number(text: str) -> float:
    return (
        0.0 if text.startswith(("<", "below", "above −")) else float(text.replace("−", "-").replace(",", ""))
    )


def test_without_scripts_it_has_tables(browser: Browser, tmp_path: Path) -> None:
    """Story, history and all numbers, where a mail program or a policy runs no scripts; nothing is cut off."""
    alert = demo_alerts()["takeover-20"]
    path = tmp_path / "alert.html"
    path.write_text(alert.to_html(), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    for text in ("Reasons", "What raised it", "History", "Features", "Single facts", "For the record"):
        assert page.get_by_role("heading", name=text).first.is_visible()
    feature = max(alert.features.values(), key=lambda each: abs(each.value))
    assert page.get_by_role(
        "cell", name=f"{feature.value:+.3f} ± {1.96 * feature.standard_error:.3f}"
    ).first.is_visible()
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_it_is_accessible(browser: Browser, tmp_path: Path, scripts: bool) -> None:
    """axe finds nothing serious, in the figures and in the tables for readers without scripts."""
    path = tmp_path / "alert.html"
    text = demo_alerts()["takeover-47"].to_html()
    path.write_text(
        text if scripts else text.replace("</script>\n</body>", ";</script>\n</body>"), encoding="utf-8"
    )
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#plain").count() == (0 if scripts else 1)
    assert accessibility_findings(page) == []
    context.close()


def test_it_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    """The page does not scroll sideways; wide tables do by themselves."""
    path = tmp_path / "alert.html"
    path.write_text(demo_alerts()["takeover-47"].to_html(), encoding="utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 800})
    seen = Seen(context.new_page())
    seen.open(path)
    assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_it_prints_on_a4(browser: Browser, tmp_path: Path) -> None:
    """On a few pages of A4; folded tables stay away."""
    path = tmp_path / "alert.html"
    path.write_text(demo_alerts()["takeover-47"].to_html(), encoding="utf-8")
    context = browser.new_context()
    seen = Seen(context.new_page())
    seen.open(path)
    pdf = seen.page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 3 <= pdf.count(b"/Type /Page\n") <= 7
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf or b"/MediaBox [0 0 595" in pdf
    context.close()


def test_hostile_texts_do_nothing(browser: Browser, tmp_path: Path) -> None:
    """No script runs, nothing is loaded, and the texts are shown as they are."""
    path = tmp_path / "alert.html"
    path.write_text(hostile(demo_alerts()["takeover-20"]).to_html(), encoding="utf-8")
    context = browser.new_context()
    seen = Seen(context.new_page())
    seen.open(path)
    assert "<script>alert(1)</script>" in seen.page.inner_text("h1")
    assert seen.page.locator("body script, body img").count() == 2
    assert seen.page.evaluate(FIGURES) == ALL_FIGURES
    context.close()


def test_the_policy_is_enforced(browser: Browser, tmp_path: Path) -> None:
    """A changed style, a changed script and an injected one are refused, so the tests above would have noticed them."""
    text = demo_alerts()["takeover-20"].to_html()
    path = tmp_path / "alert.html"
    path.write_text(
        text.replace("</style>", " b {}</style>")
        .replace("<main>", "<main><script>alert(1)</script>")
        .replace("</script>\n</body>", ";</script>\n</body>")
    )
    context = browser.new_context()
    seen = Seen(context.new_page())
    seen.page.goto(path.as_uri())
    refused = [each.partition("-src")[0] for each in seen.page.evaluate("window.violations")]
    assert sorted(refused) == ["script", "script", "style"]
    # Then the tables are there.
    assert seen.page.get_by_role("heading", name="What raised it").is_visible()
    context.close()
