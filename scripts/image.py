"""Builds the container image, or checks it.

    python scripts/image.py build [--base IMAGE | --debian-base]
    python scripts/image.py check

It takes docker, podman or buildah, the first of them that works. buildah alone can only build. Without a registry,
--debian-base makes a base image of Debian's packages with mmdebstrap, as root.

`check` runs the image as an orchestrator would that trusts it with nothing: as user 10001, with a read-only root file
system, without capabilities, without a network, with no way to gain privileges. In there, the server starts with the
demo's model, and explains the demo's alert; with the model's file too, as a caller may send one. It prints how long
that took, and the size of the image.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROBE = ROOT / "scripts" / "image_probe.py"
TOOLS = ("docker", "podman", "buildah")
USER = "10001:10001"
DEBIAN_BASE = "localhost/python:debian-bookworm"
DEBIAN_SUITE = "bookworm"
DEBIAN_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
CA_PLACE = "/run/secrets/ca.pem"
"""Where the build has the certificates of the authority that a proxy needs."""
CANNOT_START = (125, 126)
"""Exit statuses of podman if it could not start the container."""
IN_A_SANDBOX = (
    ("--runtime", "runc", "--cgroup-manager", "cgroupfs"),
    ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"),
)
"""Options of podman, and of its `run`, for machines without systemd that grant no higher limits, as in some CI."""
EXPECTED = {
    "uid": 10001,
    "gid": 10001,
    "writable": [],
    "CapEff": "0" * 16,
    "CapBnd": "0" * 16,
    "NoNewPrivs": "1",
    "exit_status": 0,
    "same_with_the_file": True,
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that builds and runs images."""

    name: str

    @classmethod
    def find(cls, *names: str) -> Tool:
        """Returns the first one that works here, or exits with a message."""
        for name in names:
            # A docker that finds no daemon is of no use.
            if shutil.which(name) and _succeeds([name, "info"]):
                return cls(name)
        sys.exit(f"none of {', '.join(names)} works here; install podman, for example")

    def build(self, tag: str, base: str, secrets: Mapping[str, Path]) -> None:
        """Builds the image."""
        command = [self.name, "build", "--tag", tag]
        if self.name != "docker":
            # Docker's format has the health check. The isolation needs no privileges that a sandbox lacks.
            command += ["--format", "docker", "--isolation", "chroot", "--network", "host"]
        if base:
            command += ["--build-arg", f"BASE={base}"]
        for name, path in secrets.items():
            command += ["--secret", f"id={name},src={path}"]
        _run([*command, str(ROOT)])

    def load(self, archive: Path, tag: str) -> None:
        """Makes an image of a file system."""
        if self.name != "buildah":
            _run([self.name, "import", str(archive), tag])
            return
        container = _output(["buildah", "from", "scratch"]).strip()
        _run(["buildah", "add", "--quiet", container, str(archive), "/"])
        _run(["buildah", "commit", "--quiet", "--rm", container, tag])

    def probe(self, tag: str) -> dict[str, Any]:
        """Runs the probe in the image, and returns what it found."""
        code, output = self._run_probe(tag, (), ())
        if code in CANNOT_START and self.name == "podman":
            code, output = self._run_probe(tag, *IN_A_SANDBOX)
        if code:
            sys.exit(f"the image failed with exit status {code}")
        found = json.loads(output.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    def _run_probe(self, tag: str, general: Sequence[str], special: Sequence[str]) -> tuple[int, str]:
        command = [self.name, *general, "run", "--rm", "--interactive", "--entrypoint", "python", *special]
        command += ["--user", USER, "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
        command += ["--network", "none", "--no-healthcheck"]
        if self.name == "podman":
            # It would mount folders for temporary files otherwise.
            command += ["--read-only-tmpfs=false"]
        # The store is in the volume that the image names; it goes with the container.
        with PROBE.open("rb") as script:
            done = subprocess.run(
                [*command, tag, "-"], stdin=script, stdout=subprocess.PIPE, text=True, check=False
            )
        return done.returncode, done.stdout

    def size(self, tag: str) -> int:
        """Returns the bytes of the image's layers."""
        return int(json.loads(_output([self.name, "image", "inspect", tag]))[0]["Size"])


def main(arguments: Sequence[str]) -> None:
    """Builds or checks, as the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("build", "check"))
    parser.add_argument("--tag", default=f"sequela:{_version()}", help="name of the image")
    bases = parser.add_mutually_exclusive_group()
    bases.add_argument("--base", default="", help="base image, with Python 3.11 or newer as `python`")
    bases.add_argument("--debian-base", action="store_true", help="make a base image with mmdebstrap")
    given = parser.parse_args(arguments)
    if given.action == "build":
        build(given.tag, given.base, given.debian_base)
    else:
        check(given.tag)


def build(tag: str, base: str, debian_base: bool) -> None:
    """Builds the image, on a base of Debian's packages if that is asked for."""
    tool = Tool.find(*TOOLS)
    if debian_base:
        make_debian_base(tool)
        base = DEBIAN_BASE
    with pip_secrets(os.environ) as secrets:
        tool.build(tag, base, secrets)
    print(f"built {tag} with {tool.name}")


def check(tag: str) -> None:
    """Runs the image, prints what it found, and exits with 1 if that is not as it should be."""
    tool = Tool.find("docker", "podman")
    found = tool.probe(tag)
    wrong = {key: found.get(key) for key, value in EXPECTED.items() if found.get(key) != value}
    if wrong:
        sys.exit(f"not as expected: {wrong}, in {found}")
    print(f"{tag}: {tool.size(tag) / 1e6:.0f} MB, {found['sbom_packages']} packages in its SBOM")
    print(f"ready after {found['startup_seconds']} s, as user {USER}, read-only, without capabilities")
    print(f"explained the demo's alert (score {found['score']}) in {found['explain_seconds']} s")
    print(f"models of callers: {found['sandbox']}")


def make_debian_base(tool: Tool) -> None:
    """Makes the base image, unless it exists."""
    if _succeeds([tool.name, "inspect", DEBIAN_BASE]):
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "base.tar"
        packages = f"--include={DEBIAN_PACKAGES}"
        _run(["mmdebstrap", "--variant=minbase", packages, DEBIAN_SUITE, str(archive)])
        tool.load(archive, DEBIAN_BASE)


@contextmanager
def pip_secrets(environment: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Yields files with the settings of pip in an environment, and the certificates that they name."""
    settings = {}
    secrets = {}
    if certificates := environment.get("PIP_CERT"):
        settings["cert"] = CA_PLACE
        secrets["ca.pem"] = Path(certificates)
    if index := environment.get("PIP_INDEX_URL"):
        settings["index_url"] = index
    with tempfile.TemporaryDirectory() as folder:
        if settings:
            secrets["pip.conf"] = Path(folder) / "pip.conf"
            lines = ["[global]", *(f"{key} = {value}" for key, value in settings.items()), ""]
            secrets["pip.conf"].write_text("\n".join(lines))
        yield secrets


def _version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def _run(command: Sequence[str]) -> None:
    print("+", " ".join(command), file=sys.stderr)
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{command[0]} failed; without a registry, try --debian-base")


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    main(sys.argv[1:])
