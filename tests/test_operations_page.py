"""docs/operations.md lists every metric with its type and labels, and every event of the log."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from serving import Serving, embedded
from waiting import PATIENCE, eventually

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


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
def test_tls_and_tokens_can_be_tried(tmp_path: Path) -> None:
    """The commands of the section work as they stand, apart from the ports."""
    section = PAGE.partition("## Try TLS and tokens on this machine")[2].partition("\n## ")[0]
    openssl, token, serve, explain = re.findall(r"^\$ (.+)$", section, flags=re.MULTILINE)
    (tmp_path / "service").symlink_to(ROOT / "service")
    folder, command = (
        tmp_path,
        f"{shlex.quote(sys.executable)} -c 'from sequela_command import main; main()' ",
    )

    def run(line: str) -> str:
        line = re.sub("^sequela ", lambda _: command, line)
        return subprocess.run(
            line, shell=True, cwd=folder, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    run(openssl)
    run(token)
    more = ["--port", "0", "--http-port", "0", "--store", "memory:", "--ready-file", "ready.json"]
    given = [sys.executable, "-P", "-m", "sequela", *shlex.split(serve)[1:], *more]
    with subprocess.Popen(given, cwd=folder, stderr=subprocess.DEVNULL) as server:
        try:
            eventually((folder / "ready.json").exists, PATIENCE)
            port = json.loads((folder / "ready.json").read_text())["grpc"].rpartition(":")[2]
            explain = explain.replace(":50051", f":{port}")
            assert "Events" in run(explain)
            with pytest.raises(subprocess.CalledProcessError) as refused:
                run(explain.replace("--token-file trial.token ", ""))
            assert "token" in refused.value.stderr
        finally:
            server.terminate()


def _measured(registry: CollectorRegistry) -> Iterator[tuple[str, tuple[str, set[str]]]]:
    """Yields the name, type and labels of each metric."""
    for collector in list(registry._collector_to_names):
        if isinstance(collector, ProcessCollector | PlatformCollector):
            continue
        for family in collector.collect():
            samples = {name for sample in family.samples for name in sample.labels} - {"le"}
            declared = {name for of in (collector, family) for name in getattr(of, "_labelnames", ())}
            labels = declared | samples
            kind = "gauge" if family.type == "info" else family.type
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            yield family.name + suffix, (kind, labels)


def _events(file: Path) -> Iterator[str]:
    """Yields the constant first arguments of calls such as `log.info(...)`."""
    text = file.read_text()
    if not re.search(r"\blog\.|\b_log\.", text):  # most modules, which then need not be parsed
        return
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        logger, event = node.func.value, node.args[0]
        if isinstance(logger, ast.Name) and logger.id in ("log", "_log") and isinstance(event, ast.Constant):
            yield str(event.value)
