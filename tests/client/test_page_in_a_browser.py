"""The page of an alert in a real browser: from disk, under its own policy, in light and dark, on paper and in grey."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from client.made_explanations import demo_alerts
from client.test_pages import hostile
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
# Elements whose text is wider than their box, apart from those that scroll.
CUT_OFF = """
() => [...document.querySelectorAll('body *')]
  .filter(e => e.scrollWidth > e.clientWidth + 2 && e.clientWidth > 0 && !e.closest('svg')
    && getComputedStyle(e).display !== 'inline')
  .map(e => e.tagName + ' ' + e.textContent.slice(0, 40))
"""
SHOWN = """
() => [...document.images].map(e => e.complete && e.naturalWidth > 100 && e.getBoundingClientRect().width > 100)
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
    """Without a complaint, a violation of its policy or a request; all figures are shown, and nothing is cut off."""
    path = tmp_path / "alert.html"
    path.write_text(demo_alerts()[name].to_html(), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1100, "height": 900})  # type: ignore[arg-type]
    seen = Seen(context.new_page())
    seen.open(path)
    assert seen.page.evaluate(SHOWN) == [True] * 4
    assert seen.page.evaluate(CUT_OFF) == []
    # The style counts: its hash is the one that the policy names.
    paper, ink = seen.page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    bright = ["rgb(255, 255, 255)", "rgb(26, 26, 26)"]
    assert ([paper, ink] == bright) == (scheme == "light")
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
    assert seen.page.evaluate(SHOWN) == [True] * 4
    context.close()


def test_the_policy_is_enforced(browser: Browser, tmp_path: Path) -> None:
    """A changed style and an injected script are refused, so the tests above would have noticed them."""
    text = demo_alerts()["takeover-20"].to_html()
    path = tmp_path / "alert.html"
    path.write_text(
        text.replace("</style>", " b {}</style>").replace("<main>", "<main><script>alert(1)</script>")
    )
    context = browser.new_context()
    seen = Seen(context.new_page())
    seen.page.goto(path.as_uri())
    refused = [each.partition("-src")[0] for each in seen.page.evaluate("window.violations")]
    assert sorted(refused) == ["script", "style"]
    context.close()
