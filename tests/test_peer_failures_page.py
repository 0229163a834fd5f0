"""The table of other servers' failures in docs/operations.md: each has a test, and the test is there."""

from __future__ import annotations

import ast
import re

import pytest
from documents import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
TABLE = PAGE.partition("## Failures of other servers")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TABLE.splitlines()
    if line.startswith("| ") and "`tests/" in line
]
PEERS = {
    "SeldonIO/MLServer#1431",
    "SeldonIO/MLServer#1652",
    "bentoml/BentoML#1768",
    "grpc/grpc#37239",
    "grpc/grpc#41531",
    "kserve/kserve#4247",
    "pytorch/serve#2357",
    "redis/redis-py#4086",
    "triton-inference-server/server#3563",
    "triton-inference-server/server#5381",
    "triton-inference-server/server#7532",
    "triton-inference-server/server#8604",
}
OWN = "found by `make fuzz`"


def test_all_are_listed() -> None:
    """Each once, with a cell for each column."""
    assert all(len(row) == 4 for row in ROWS)
    assert {row[1] for row in ROWS} == PEERS | {OWN}
    assert len(ROWS) == len(PEERS) + 1


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_its_test_is_there(row: list[str]) -> None:
    """A function of that name in that file."""
    found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)` ?", row[3])
    assert found, row[3]
    module = ast.parse((ROOT / found[1]).read_text())
    assert found[2] in {each.name for each in module.body if isinstance(each, ast.FunctionDef)}
