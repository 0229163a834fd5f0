"""The examples in Node and Java print what docs/calling.md shows, try again when the server says, and name errors.

Node and its packages come from their registries. Java's libraries are those of Debian; CONTRIBUTING.md names them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from documents import ROOT, fences
from example_programs.busy_server import BusyServer
from sequela.adapters.store.ports import StoreFull
from sequela.errors import InvalidInput, Overloaded, Unavailable
from serving import Serving, embedded

# Packages are installed and compiled, which takes minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Program = Callable[[str], subprocess.CompletedProcess[str]]
"""Explains the first takeover of the demo with the server at an address."""

ALERT = ROOT / "service" / "sequela" / "demo" / "alerts" / "takeover-20.json"
EXAMPLES = ROOT / "examples"
JARS = Path("/usr/share/java")
LIBRARIES = (
    *(
        "grpc-api",
        "grpc-context",
        "grpc-core",
        "grpc-netty",
        "grpc-protobuf",
        "grpc-protobuf-lite",
        "grpc-stub",
    ),
    *(
        "netty-buffer",
        "netty-codec",
        "netty-codec-http",
        "netty-codec-http2",
        "netty-common",
        "netty-handler",
    ),
    *("netty-resolver", "netty-transport", "netty-transport-native-unix-common"),
    *("protobuf", "proto-google-common-protos", "guava", "gson", "perfmark-api"),
    "geronimo-annotation-1.3-spec",
)
CLASS_PATH = os.pathsep.join(str(JARS / f"{name}.jar") for name in LIBRARIES)
MISSING = [name for name in ("javac", "protoc", "grpc_java_plugin") if shutil.which(name) is None] + [
    name
    for name in ("grpc-netty", "gson", "geronimo-annotation-1.3-spec")
    if not (JARS / f"{name}.jar").exists()
]


def run(*command: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs a program with the node of this environment on the PATH."""
    tools = str(Path(sys.executable).parent)
    path = os.pathsep.join([tools, os.environ.get("PATH", "")])
    # Behind a company's proxy, only the system knows the authority that its certificates are of.
    environment = os.environ | {"PATH": path, "NO_COLOR": "1", "NODE_USE_SYSTEM_CA": "1"}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def done(result: subprocess.CompletedProcess[str]) -> None:
    """Fails with the output of a step that failed."""
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The example beside the files that it reads, with its packages."""
    copy = tmp_path_factory.mktemp("repository")
    for name in ("examples", "proto/sequela"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("node_modules"))
    folder = copy / "examples" / "node"
    done(run("npm", "ci", "--ignore-scripts", "--no-update-notifier", folder=folder))
    return lambda address: run("node", "explain_alert.mjs", address, ALERT, folder=folder)


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The example compiled with the code of the contract, which Debian's tools generate."""
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}; CONTRIBUTING.md names the packages")
    source, classes = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("classes")
    plugin = f"--plugin=protoc-gen-grpc-java={shutil.which('grpc_java_plugin')}"
    out = (f"--java_out={source}", f"--grpc-java_out={source}")
    done(run("protoc", f"-I{ROOT / 'proto'}", plugin, *out, "sequela/v1/sequela.proto"))
    # Debian's package of Google's messages is older than ErrorInfo; the Python package has its proto.
    packages = Path(sys.modules["google.rpc"].__path__[0]).parents[1]
    done(run("protoc", f"-I{packages}", f"--java_out={source}", "google/rpc/error_details.proto"))
    files = sorted(source.rglob("*.java"))
    example = EXAMPLES / "java" / "ExplainAlert.java"
    done(run("javac", "-nowarn", "-d", classes, "-cp", CLASS_PATH, *files, example))
    path = f"{classes}{os.pathsep}{CLASS_PATH}"
    config = EXAMPLES / "service_config.json"
    return lambda address: run(
        "java", "-XX:TieredStopAtLevel=1", "-cp", path, "ExplainAlert", address, ALERT, config
    )


@pytest.fixture(params=["node", "java"])
def program(request: pytest.FixtureRequest) -> Program:
    """Each of them."""
    found: Program = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with the demo's model."""
    with Serving(embedded(model_repository=ROOT / "service" / "sequela" / "demo" / "models")) as running:
        yield running.bound.grpc


def test_it_prints_what_the_page_shows(program: Program, server: str) -> None:
    """Score and reasons."""
    page = (ROOT / "docs" / "calling.md").read_text().partition("<!-- printed by the examples -->")[2]
    result = program(server)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == fences(page, "text")[0]


@pytest.mark.parametrize("kind", [Overloaded, Unavailable])
def test_it_tries_again_when_the_server_says(program: Program, kind: type[Overloaded | Unavailable]) -> None:
    """Not sooner than it was asked to: gRPC's first wait would be a tenth of a second."""
    busy = BusyServer([kind("QUEUE_FULL", "the queue is full", retry_after=0.7)])
    with busy.serving() as address:
        result = program(address)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("takeover-20: score 0.90")
    first, second = busy.arrivals
    assert second - first >= 0.7


def test_attempts_end(program: Program) -> None:
    """After four, the error says what is wrong and when to come back."""
    busy = BusyServer([Overloaded("QUEUE_FULL", "the queue is full", retry_after=0.05) for _ in range(9)])
    with busy.serving() as address:
        result = program(address)
    assert len(busy.arrivals) == 4
    assert result.returncode == 1
    assert result.stderr.strip() == "RESOURCE_EXHAUSTED QUEUE_FULL: the queue is full; try again in 0.1 s"


def test_a_wrong_request_is_not_sent_again(program: Program) -> None:
    """The reason and the message arrive."""
    busy = BusyServer([InvalidInput.at("sequence", "SEQUENCE_EMPTY", "has no inputs")])
    with busy.serving() as address:
        result = program(address)
    assert len(busy.arrivals) == 1
    assert result.stderr.strip() == "INVALID_ARGUMENT SEQUENCE_EMPTY: sequence: has no inputs"


def test_a_final_refusal_is_not_sent_again(program: Program) -> None:
    """Although the service config lists its code: the server says that another attempt does not help."""
    busy = BusyServer([StoreFull(1)])
    with busy.serving() as address:
        result = program(address)
    assert len(busy.arrivals) == 1
    assert result.stderr.startswith("RESOURCE_EXHAUSTED STORE_FULL: ")


def test_a_deadline_ends_the_waiting(program: Program) -> None:
    """A server that asks for more time than the deadline leaves is not waited for longer than that."""
    busy = BusyServer([Overloaded("QUEUE_FULL", "the queue is full", retry_after=60)])
    started = time.monotonic()
    with busy.serving() as address:
        result = program(address)
    assert result.returncode == 1
    assert len(busy.arrivals) == 1
    assert time.monotonic() - started < 60
