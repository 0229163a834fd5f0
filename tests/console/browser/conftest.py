"""A real browser, and a real console before a real service with alerts and a cohort."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from console.browser.visits import Look, Visit
    from playwright.sync_api import Browser
    from sequela_console.server import ConsoleServer

ALERTS = 60
"""Simulated alerts, besides the four bundled ones: more than a page of the list."""
COHORT = "shop"
THRESHOLD = 0.8465
PATIENCE_MILLISECONDS = 60_000
"""How long a page may take on a busy machine."""

CHROMIUM = os.environ.get("SEQUELA_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks all tests of this folder: they are slow, and need a browser."""
    reason = "there is no chromium; install one, or set SEQUELA_CHROMIUM"
    for item in items:
        if "console/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason=reason))


# Not for the session: while Playwright runs, its event loop runs in this thread, and asyncio.run of other tests fails.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, once for the tests of a file."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415

    expect.set_options(timeout=PATIENCE_MILLISECONDS)

    # Containers often run tests as root, where chromium's sandbox does not start.
    flags = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    with sync_playwright() as tools:
        started = tools.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    """A console with 64 alerts and a small cohort. Tests that decide choose alerts of their own."""
    from console.cohort_files import write_cohort  # noqa: PLC0415
    from console.filled_service import filled_service  # noqa: PLC0415
    from console.running_console import running_console  # noqa: PLC0415
    from waiting import eventually  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("console")
    cohorts = {COHORT: write_cohort(folder / COHORT)}
    with (
        filled_service(ALERTS) as address,
        running_console(address, folder, cohorts=cohorts, thresholds={"": THRESHOLD}) as running,
    ):
        eventually(lambda: running.console.index.state().complete)
        yield running


@pytest.fixture
def visit(browser: Browser, console: ConsoleServer) -> Iterator[Visit]:
    """A window of a laptop at the console."""
    from console.browser.visits import visiting  # noqa: PLC0415

    with visiting(browser, console.url) as found:
        yield found


@pytest.fixture
def visit_as(browser: Browser, console: ConsoleServer) -> Callable[[Look], AbstractContextManager[Visit]]:
    """Opens a window of another size or in other colours."""
    from console.browser.visits import visiting  # noqa: PLC0415

    return lambda look: visiting(browser, console.url, look)
