"""A person at the console in a real browser, and everything that the browser complains about meanwhile."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from console.browser.conftest import PATIENCE_MILLISECONDS
from playwright.sync_api import Browser, Page, Request
from waiting import eventually

from scripts import console_web

NAME = "Anna Analyst"
LOCAL_SCHEMES = ("data", "blob")
# Reports what the content security policy forbids; the page itself is told nothing.
VIOLATIONS = """
document.addEventListener('securitypolicyviolation',
  event => reportViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
AXE = """
(options) => axe.run(document, options).then(found => found.violations.map(each => ({
  impact: each.impact, id: each.id, nodes: each.nodes.map(node => node.html.slice(0, 200) + ' ' + node.failureSummary),
})))
"""
# `region` is about content outside of landmarks, which dialogs and messages are on purpose.
AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"region": {"enabled": False}},
}


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody sees a page: colours, and the size of the window in pixels."""

    scheme: str
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.scheme}-{self.width}"


LAPTOP = Look("light", 1280, 720)
LOOKS = (LAPTOP, Look("dark", 1280, 720), Look("light", 390, 844), Look("dark", 390, 844))


@dataclass  # without slots: the browser's library keeps something in it
class Visit:
    """A page of the console, with what was complained about.

    Args:
        page: the page.
        url: the origin of the console.
        complaints: errors of scripts, messages on the browser's console, what the policy forbade, foreign requests.
        expected: words of complaints that a test provokes, such as the failure of a request.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Opens a path of the console, and waits for the heading of its page."""
        self.page.goto(self.url + path)
        self.page.locator("h1").first.wait_for()
        return self.page

    def check(self) -> None:
        """Fails if the browser complained about something that was not expected."""
        unexpected = [each for each in self.complaints if not any(words in each for words in self.expected)]
        assert unexpected == []

    def hear(self, request: Request) -> None:
        """Takes note of a request to another origin."""
        if urlsplit(request.url).scheme not in LOCAL_SCHEMES and not request.url.startswith(self.url + "/"):
            self.complaints.append(f"request to {request.url}")


@contextmanager
def visiting(browser: Browser, url: str, look: Look = LAPTOP, name: str = NAME) -> Iterator[Visit]:
    """Opens a window at the console as a person who has a name already; at its end nothing may have gone wrong."""
    context = browser.new_context(
        color_scheme=look.scheme,  # type: ignore[arg-type]
        viewport={"width": look.width, "height": look.height},
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    visit = Visit(context.new_page(), url)
    complaints, page = visit.complaints, visit.page
    page.expose_function("reportViolation", lambda text: complaints.append(f"policy: {text}"))
    page.add_init_script(VIOLATIONS)
    if name:
        page.add_init_script(f"localStorage.sequela ??= '{json.dumps({'name': name})}'")
    page.on(
        "console",
        lambda message: complaints.append(f"{message.type}: {message.text} {message.location['url']}"),
    )
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("request", visit.hear)
    try:
        yield visit
        visit.check()
    finally:
        context.close()


def accessibility_findings(page: Page) -> list[dict[str, Any]]:
    """Returns what axe finds wrong with a page, if it is serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {axe_source()} }}")
    found: list[dict[str, Any]] = page.evaluate(AXE, AXE_OPTIONS)
    return [each for each in found if each["impact"] in ("serious", "critical")]


def axe_source() -> str:
    """Returns the script of axe-core, which `make console-web` installs with the tools of the front end."""
    file = console_web.WEB / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        console_web.install()
    return file.read_text(encoding="utf-8")


def wait_for_address(page: Page, words: str) -> None:
    """Waits until the state of the view in the address, as JSON, has these words. It follows a moment later."""
    # `page.url` changes only while the browser is talked to.
    eventually(lambda: words in _state_of(page.evaluate("location.href")))


def _state_of(url: str) -> str:
    (text,) = parse_qs(urlsplit(url).query).get("v", [""])
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def fits(page: Page) -> bool:
    """Whether the page does not scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
