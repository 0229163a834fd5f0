"""Every thread of the server has a name, and docs/architecture.md says what it does and how many there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME_ARGUMENTS = {
    "Thread": ("name", None),
    "ThreadPoolExecutor": ("thread_name_prefix", None),
    "WorkerPool": ("name", None),
    "Executor": ("name", 0),
    "CircuitBreaker": ("thread_name", 3),
    "_repeat": ("name", 0),
}
"""Which argument of what starts threads is their name: its keyword, and its place if it has one."""
DEFAULT_POOL = "pool"
"""The name of a `WorkerPool` that is given none."""
PASSED_ON = {"name", "self._thread_name", "…"}
"""Names that are arguments of something else in the table above."""
TIMERS = {"forkserver-end"}
"""A timer is not given its name when it is made."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    """What starts threads: its name, and the call."""
    for path in sorted((ROOT / "service" / "sequela").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in NAME_ARGUMENTS:
                    yield name, node


def thread_name(called: str, call: ast.Call) -> str:
    """The name in a call as the page writes it: an ellipsis stands for what differs. Empty if there is none."""
    keyword, place = NAME_ARGUMENTS[called]
    given = next((each.value for each in call.keywords if each.arg == keyword), None)
    if given is None and place is not None and len(call.args) > place:
        given = call.args[place]
    if given is None:
        return DEFAULT_POOL if called == "WorkerPool" else ""
    if isinstance(given, ast.JoinedStr):
        first, *_ = given.values
        return f"{first.value!s}…" if isinstance(first, ast.Constant) else "…"
    return str(given.value) if isinstance(given, ast.Constant) else ast.unparse(given)


def names() -> set[str]:
    return {thread_name(*each) for each in calls()}


def documented() -> set[str]:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("| Thread | Does |")[2].partition("\n\n")[0]
    firsts = (line.split("|")[1] for line in table.splitlines()[2:])
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


def test_every_thread_has_a_name() -> None:
    assert "" not in names()


def test_threads_are_documented() -> None:
    """The table has the names in the code, and no others."""
    assert documented() == (names() - PASSED_ON) | TIMERS
