"""A pytest plugin: under CI=true, a skipped test fails unless it skips for something that a machine need not have.

Otherwise nobody would notice that a tool is missing and that tests do not run.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

ALLOWED = (
    "SEQUELA_SHARED",  # real data, which is not in the repository
    "no wheel for this platform",
    "no digests of this machine",  # the last bits of results differ between processors
)


def _forbidden(reason: str) -> bool:
    return os.environ.get("CI") == "true" and not any(words in reason for words in ALLOWED)


def _fail_if_forbidden(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if _forbidden(reason):
        report.outcome = "failed"
        report.longrepr = f"no test may skip under CI=true, and this one did: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a test that was skipped, or whose fixture skipped it."""
    report = yield
    _fail_if_forbidden(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fails a module that was skipped as a whole."""
    report = yield
    _fail_if_forbidden(report)
    return report
