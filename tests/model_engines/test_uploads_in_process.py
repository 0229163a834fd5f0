"""Models of callers in the server's own process, which the operator must know of."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from serving import Serving, embedded

EVENT = "models of callers not contained"


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"upload_engines": 0}, True),
        ({"upload_engines": 0, "uploads": False}, False),
        ({"upload_engines": 1}, False),
    ],
    ids=["in process", "no uploads", "engines"],
)
def test_the_log_warns_at_the_start(settings: dict[str, Any], warned: bool) -> None:
    """Every user of the machine reaches loopback, and their models would run as the operator, without a sandbox."""
    with structlog.testing.capture_logs() as logs, Serving(embedded(**settings)):
        pass
    found = [each for each in logs if each["event"] == EVENT]
    assert [each["log_level"] for each in found] == ["warning"] * warned
    assert all("without a sandbox" in each["detail"] for each in found)
