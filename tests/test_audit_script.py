"""`make audit`: it fails for a known weakness, and never says that all is well if nothing was looked up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts import audit

CLEAN = {"name": "numpy", "version": "2.4", "vulns": []}
WEAK = {
    "name": "onnx",
    "version": "1.20",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-2026-27489"], "fix_versions": ["1.21"]}],
}
UNKNOWN = {"name": "redis", "skip_reason": "Dependency not found on PyPI"}


class Tools:
    """Stands for cyclonedx-bom and pip-audit. `answers` has the output of pip-audit for each database."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, module: Sequence[str]) -> str:
        if module[0] == "cyclonedx_py":
            Path(module[-1]).write_text(json.dumps({"components": [{}]}))
            return ""
        self.asked.append(module[-1])
        answer = self._answers.get(module[-1])
        return "" if answer is None else json.dumps({"dependencies": answer})


@pytest.mark.parametrize(
    ("answers", "code", "lenient", "said"),
    [
        ({"pypi": [CLEAN]}, 0, 0, "no known weakness in 1 packages"),
        ({"pypi": [CLEAN, WEAK]}, 1, 1, "onnx 1.20: PYSEC-1 CVE-2026-27489, fixed in 1.21"),
        ({"pypi": [UNKNOWN], "osv": [WEAK]}, 1, 1, "CVE-2026-27489"),
        ({"pypi": [CLEAN, UNKNOWN]}, 3, 0, "NOT CHECKED: redis"),
        (
            {"pypi": [UNKNOWN], "osv": [UNKNOWN]},
            3,
            0,
            "NOT CHECKED: no database of advisories could be reached",
        ),
        ({}, 3, 0, "NOT CHECKED: no database of advisories could be reached"),
    ],
)
def test_the_exit_code(
    answers: dict[str, Any],
    code: int,
    lenient: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A weakness always fails. What was not looked up fails too, unless that is allowed, and is always printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(audit, "_run", Tools(**answers))
    assert audit.main([]) == code
    assert said in capsys.readouterr().out
    assert audit.main(["--may-be-unreachable"]) == lenient
    assert said in capsys.readouterr().out


def test_a_misspelt_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked, rather than asked without the option."""
    monkeypatch.setattr(audit, "_run", Tools())
    with pytest.raises(SystemExit) as caught:
        audit.main(["--may-be-unreachble"])
    assert caught.value.code == 2


def test_the_first_database_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The second is asked only if the first knows nothing."""
    tools = Tools(pypi=[CLEAN], osv=[WEAK])
    assert audit.look_up(tools).clean == ("numpy",)
    assert tools.asked == ["pypi"]
