"""The environments of peers: what happens where one cannot be had."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import peer_env


def test_a_platform_without_a_wheel_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make test-all` goes on and says so; who asks for the Python is told, in the words that tests may skip with."""
    monkeypatch.setattr(peer_env, "platform_tags", lambda: ["macosx_14_0_arm64"])
    monkeypatch.setattr("sys.argv", ["peer_env.py", "triton"])
    peer_env.main()
    assert capsys.readouterr() == ("", "triton: no wheel for this platform\n")
    with pytest.raises(peer_env.NoWheel, match="no wheel for this platform"):
        peer_env.ensure("triton")


@pytest.mark.parametrize("peer", ["notebooks", "ray", "spark"])
def test_where_our_server_runs_all_its_packages_are_installed(peer: str) -> None:
    """These environments have our code on their path, not as a package, so nothing else would say what is missing."""
    installed = {
        canonicalize_name(re.split(r"[=; ]", line, maxsplit=1)[0])
        for line in peer_env.REQUIREMENTS[peer].read_text().splitlines()
        if re.match(r"\w", line)
    }
    project = tomllib.loads((peer_env.ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["service"], *extras["report"], *extras["cohort"]]
    needed = {canonicalize_name(Requirement(each).name) for each in wanted} - {"sequela"}
    assert needed <= installed


def test_a_python_that_does_not_start_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the placeholders of a version manager do. If none starts, the message says which ones would do."""
    for name, script in {"python3.98": "exit 127", "python3.99": "echo Python 3.99"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peer_env.interpreter(("python3.98", "python3.99")) == str(tmp_path / "python3.99")
    with pytest.raises(SystemExit, match=r"needs python3\.97 or python3\.98"):
        peer_env.interpreter(("python3.97", "python3.98"))
