"""docs/operations.md lists every metric with its type and labels, and every event of the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from documents import ROOT
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from serving import Serving, embedded

PAGE = (ROOT / "docs" / "operations.md").read_text()
SERVICE = ROOT / "service" / "sequela"
WRAPPED = {"call", "endpoint"}
"""Events that are logged through a function that picks the level."""


def test_every_metric_is_listed() -> None:
    """The table has the metrics of the server, and no others, with their types and labels."""
    rows = re.findall(r"^\| `((?:grpc|sequela)_\w+)` \| (\w+) \| ([^|]*)\|", PAGE, flags=re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert len(rows) == len(listed)
    with Serving(embedded(model_repository=SERVICE / "demo" / "models")) as serving:
        assert listed == dict(_measured(serving.wired.metrics.registry))


def test_every_event_is_listed() -> None:
    """The table of log events has those of the code, and no others."""
    table = PAGE.partition("| Event | Level |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE)
    listed = [event for cell in cells for event in re.findall(r"`([^`]+)`", cell)]
    logged = {event for file in SERVICE.rglob("*.py") for event in _events(file)} | WRAPPED
    assert sorted(listed) == sorted(logged)


def _measured(registry: CollectorRegistry) -> Iterator[tuple[str, tuple[str, set[str]]]]:
    """Yields the name, type and labels of each metric."""
    for collector in list(registry._collector_to_names):
        if isinstance(collector, ProcessCollector | PlatformCollector):
            continue
        for family in collector.collect():
            samples = {name for sample in family.samples for name in sample.labels} - {"le"}
            labels = set(getattr(collector, "_labelnames", ())) | samples
            kind = "gauge" if family.type == "info" else family.type
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            yield family.name + suffix, (kind, labels)


def _events(file: Path) -> Iterator[str]:
    """Yields the constant first arguments of calls such as `log.info(...)`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        logger, event = node.func.value, node.args[0]
        if isinstance(logger, ast.Name) and logger.id in ("log", "_log") and isinstance(event, ast.Constant):
            yield str(event.value)
