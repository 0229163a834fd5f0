"""The client in environments of others: the oldest packages that it allows, and the SDKs of KServe and Triton."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matrix import BY_NAME
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from real_servers import PATIENCE, ROOT, SCRIPTS, python
from serving import Serving

GRU = BY_NAME["gru"]
SEQUENCE, BACKGROUND = GRU.sample(6)["events"], GRU.average()["events"]
ALLOWED = {
    canonicalize_name(each.name): each.specifier
    for each in map(
        Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    )
}
peers = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(600)]


def pinned(name: str) -> dict[str, Version]:
    """What an environment of others holds."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {canonicalize_name(package): Version(version) for package, version in pairs}


@pytest.mark.parametrize("name", ["oldest", "kserve", "mlserver", "triton", "peers", "captum", "shap"])
def test_what_others_want_is_allowed(name: str) -> None:
    """No package of KServe's, MLServer's and Triton's environments, nor of timeshap's, Captum's and shap's, is at a
    version that the client rules out.
    """
    refused = {
        package: str(version)
        for package, version in pinned(name).items()
        if package in ALLOWED and version not in ALLOWED[package]
    }
    assert not refused


def test_the_oldest_are_the_oldest() -> None:
    """The environment of that name holds the lowest version of every package that the client allows."""
    held = pinned("oldest")
    lowest = {
        package: next(Version(each.version) for each in specifier if each.operator == ">=")
        for package, specifier in ALLOWED.items()
    }
    assert {package: held[package] for package in lowest} == lowest


def ask(
    python: str, server: Serving, folder: Path, modules: tuple[str, ...], **variables: str
) -> dict[str, Any]:
    """What our client gets in that environment, beside those modules."""
    np.save(folder / "sequence.npy", SEQUENCE)
    np.save(folder / "background.npy", BACKGROUND)
    files = (GRU.path, folder / "sequence.npy", folder / "background.npy")
    command = [python, "-P", SCRIPTS / "ask_with_ours.py", server.bound.grpc, *files, *modules]
    environment = {**os.environ, **variables, "COLUMNS": "100"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Events" in done.stderr  # the command's tables
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("environment", "modules"),
    [
        pytest.param("oldest", (), marks=peers),
        pytest.param("kserve", ("kserve",), marks=peers),
        pytest.param("kserve", ("tritonclient.grpc",), marks=peers),
    ],
)
def test_the_client_beside_others(environment: str, modules: tuple[str, ...], tmp_path: Path) -> None:
    """In one process with the other SDK, blocking, asyncio and command: every kind of question has the answer that it
    has here, and errors name their fields.
    """
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("clients/python", "proto/python"))
    with Serving() as server:
        found = ask(python(environment), server, tmp_path, modules, PYTHONPATH=paths)
    with Serving() as server:
        wanted = ask(sys.executable, server, tmp_path, (), PYTHONPATH=os.pathsep.join(sys.path))
    assert found == wanted
    assert found["explained"] == found["asynchronous"]
    assert found["CallerError"] == ["OPTION_OUT_OF_RANGE", ["pruning_tolerance"]]


def test_the_client_leaves_the_protocols_messages_to_others() -> None:
    """One process can hold one `inference.ModelInferRequest` only, and that is the other SDK's: the client and its
    command import no part of ours.
    """
    code = "import sys, sequela_client.cli.main; print(sorted(each for each in sys.modules if 'inference' in each))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"
