"""docs/pruning.md: its examples run as they stand, but for the port, and print what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sequela_client.explanation_parts import Verdict
from serving import Serving, embedded

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "pruning.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_page_prints_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Comments behind calls of print are what these print: every verdict has an example that gives it; and the blocks
    of history are those of the page.
    """
    monkeypatch.chdir(ROOT)
    known: dict[str, object] = {}
    with Serving(embedded(model_repository=ROOT / "service" / "sequela" / "demo" / "models")) as serving:
        for block in BLOCKS:
            exec(compile(block.replace("localhost:50051", serving.bound.grpc), "pruning.md", "exec"), known)
        known["sequela"].close()  # type: ignore[attr-defined]
    printed = capsys.readouterr().out.splitlines()
    said = re.findall(r"^print\(.*\)  # (.+)$", "\n".join(BLOCKS), flags=re.MULTILINE)
    assert {"None", *Verdict} - {"unknown"} <= set(said)
    blocks = re.findall(r"^t=-\d.*$", PAGE, flags=re.MULTILINE)
    assert len(blocks) == 8
    assert [line for line in printed if line in {*said, *blocks}] == said + blocks
