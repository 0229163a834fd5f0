"""Under CI=true a test that skips has failed, unless it says that it misses something no machine is bound to have.

A pytest plugin, so that a tool that is not installed is noticed instead of leaving promises unchecked.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

ALLOWED = (
    "SEQUELA_SHARED",  # real data, which is not part of the product
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
    """A test, or its fixtures."""
    report = yield
    _fail_if_forbidden(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips as a whole."""
    report = yield
    _fail_if_forbidden(report)
    return report
