"""The environments of peers: what happens where one cannot be had."""

from __future__ import annotations

import re
import tomllib

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
