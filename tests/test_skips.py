"""What becomes of tests that skip."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SKIPS = """
import os
import pytest

def test_tool():
    pytest.skip("no redis-server found")

def test_data():
    pytest.skip("SEQUELA_SHARED names no folder with the data")

def test_platform():
    pytest.skip("triton: no wheel for this platform")

def test_digests():
    pytest.skip("no digests of this machine: Linux")

@pytest.mark.xfail(reason="known", strict=False)
def test_known():
    assert False
"""
MODULE = """
import pytest
pytest.importorskip("a_package_that_nobody_has")
"""


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the runs of pytest in these tests load none of the plugins that are installed, which takes long."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def outcomes(pytester: pytest.Pytester, source: str) -> dict[str, int]:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "skips", "-p", "no:cacheprovider").parseoutcomes()


def test_a_missing_tool_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing by right still skips, and an expected failure stays one."""
    monkeypatch.setenv("CI", "true")
    assert outcomes(pytester, SKIPS) == {"failed": 1, "skipped": 3, "xfailed": 1}


def test_a_missing_tool_skips_elsewhere(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without Redis can still run the tests."""
    monkeypatch.delenv("CI", raising=False)
    assert outcomes(pytester, SKIPS) == {"skipped": 4, "xfailed": 1}


def test_a_module_that_skips_fails_in_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """importorskip at the top of a file hides all its tests."""
    monkeypatch.setenv("CI", "true")
    assert outcomes(pytester, MODULE) == {"errors": 1}
