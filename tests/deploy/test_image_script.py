"""scripts/image.py, with programs in the place of docker and podman that note what they are asked to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import image

GOOD: dict[str, Any] = {
    **image.EXPECTED,
    "sbom_packages": 40,
    "startup_seconds": 1.5,
    "score": 0.99,
    "explain_seconds": 0.1,
    "sandbox": "in a sandbox",
}
Tools = Callable[..., Path]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Puts programs on the PATH, and returns the file in which they note their arguments, a line for each call."""
    folder, notes = tmp_path / "bin", tmp_path / "notes"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(**lines: str) -> Path:
        for name, line in lines.items():
            program = folder / name
            program.write_text(f'#!/bin/sh\necho "{name} $*" >> {notes}\n{line}\n')
            program.chmod(0o755)
        return notes

    return put


def podman(**changed: Any) -> str:
    """A podman in whose image the probe finds this."""
    found = json.dumps(GOOD | changed)
    return f"case \"$1\" in run) cat > /dev/null; echo '{found}';; image) echo '[{{\"Size\": 482000000}}]';; esac"


def test_a_docker_without_a_daemon_is_passed_over(tools: Tools, capfd: pytest.CaptureFixture[str]) -> None:
    """The image is then run by podman, with nothing that it could do harm with."""
    notes = tools(docker="exit 1", podman=podman())
    image.main(["check", "--tag", "sequela:test"])
    run = next(line for line in notes.read_text().splitlines() if line.startswith("podman run"))
    for option in (
        "--read-only ",
        "--cap-drop all",
        "--user 10001:10001",
        "no-new-privileges",
        "--network none",
    ):
        assert option in run
    assert "482 MB, 40 packages" in capfd.readouterr().out


@pytest.mark.parametrize(
    "changed",
    [
        {"uid": 0},
        {"CapBnd": "00000000a80425fb"},
        {"writable": ["/tmp"]},
        {"exit_status": 1},
        {"NoNewPrivs": "0"},
    ],
)
def test_what_is_not_as_it_should_be_is_named(tools: Tools, changed: dict[str, Any]) -> None:
    """A user, a capability, a place that can be written to, a server that does not end in order."""
    tools(podman=podman(**changed))
    with pytest.raises(SystemExit, match=f"not as expected: .*{next(iter(changed))}"):
        image.main(["check"])


def test_podman_in_a_sandbox(tools: Tools) -> None:
    """If it cannot start the container, it is asked in another way; if the server fails, it is not."""
    notes = tools(podman='case "$1" in info) ;; *) exit 126;; esac')
    with pytest.raises(SystemExit, match="exit status 126"):
        image.main(["check"])
    assert "--cgroup-manager cgroupfs" in notes.read_text()
    notes.unlink()
    tools(podman='case "$1" in info) ;; *) exit 1;; esac')
    with pytest.raises(SystemExit, match="exit status 1"):
        image.main(["check"])
    assert "cgroupfs" not in notes.read_text()


def test_the_build_has_the_settings_of_pip(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    """As secrets, so that no layer keeps them."""
    monkeypatch.setenv("PIP_CERT", "/authority.pem")
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:word@packages.example/simple")
    notes = tools(
        docker='for each in "$@"; do case "$each" in id=pip.conf*) cat "${each#*src=}";; esac; done >> "$0.conf"'
    )
    image.main(["build", "--base", "registry.example/python:3.12"])
    built = notes.read_text()
    assert "--secret id=ca.pem,src=/authority.pem" in built
    assert "--build-arg BASE=registry.example/python:3.12" in built
    assert "packages.example" not in built
    conf = (notes.parent / "bin" / "docker.conf").read_text()
    assert (
        conf == f"[global]\ncert = {image.CA_PLACE}\nindex_url = https://user:word@packages.example/simple\n"
    )


def test_nothing_that_builds(tools: Tools) -> None:
    """The message says what to install."""
    tools(docker="exit 1", podman="exit 1", buildah="exit 1")
    with pytest.raises(SystemExit, match="none of docker, podman, buildah works here; install podman"):
        image.main(["build"])
