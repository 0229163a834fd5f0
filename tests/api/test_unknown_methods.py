"""Calls of unknown methods, and of paths that are not UTF-8: each is refused, and the server goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from api.test_bad_input import assert_serving
from request_fuzz import http2
from sequela.api.grpc import unknown_methods
from serving import Serving, embedded
from waiting import PATIENCE, eventually

UNIMPLEMENTED = str(grpc.StatusCode.UNIMPLEMENTED.value[0])


def ask(server: Serving, path: str) -> str:
    """Returns the status of a call of a path, which is written as Latin-1."""
    return http2.ask(server.bound.grpc, http2.call_headers(path), b"", PATIENCE).partition(" ")[0]


@pytest.mark.parametrize("path", ["/\xff/\xfe", "/sequela.v1.ModelService/\xed\xa0\x80", "/\xff"])
def test_a_path_that_is_not_utf_8(server: Serving, path: str) -> None:
    """It ended the loop of gRPC's own server, and with it all calls."""
    for _ in range(3):
        assert ask(server, path) == UNIMPLEMENTED
        assert_serving(server)


@pytest.mark.parametrize(
    "path", ["/sequela.v1.ModelService/Nothing", "/nobody.v1.Service/Get", "/", "/a/b/c"]
)
def test_an_unknown_method(server: Serving, path: str) -> None:
    """UNIMPLEMENTED, as from any server of gRPC."""
    assert ask(server, path) == UNIMPLEMENTED
    assert_serving(server)


def test_a_client_library_gets_the_same_error(server: Serving) -> None:
    """On a channel that other calls use."""
    with pytest.raises(grpc.RpcError) as caught:
        server.channel.unary_unary("/sequela.v1.ModelService/Nothing")(b"", timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


UNPROTECTED = """
import runpy
from sequela.api.grpc import unknown_methods
unknown_methods.survives_any_path = lambda: False
runpy.run_module("sequela", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(
    not unknown_methods.survives_any_path(), reason="this release of gRPC does not have the flaw"
)
@pytest.mark.slow
def test_a_server_whose_grpc_has_failed_exits(tmp_path: Path) -> None:
    """Its health pages must not go on to say ok. The flaw stands for any other that ends the loop of gRPC."""
    ready, log = tmp_path / "ready", tmp_path / "log"
    given = [
        *("--port", "0", "--http-port", "0", "--engines", "0", "--drain-delay", "0"),
        "--ready-file",
        str(ready),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with log.open("w") as output:
        running = subprocess.Popen(
            [sys.executable, "-c", UNPROTECTED, *given], stderr=output, env=environment
        )
    try:
        eventually(ready.exists, PATIENCE)
        http2.ask(json.loads(ready.read_text())["grpc"], http2.call_headers("/\xff"), b"", PATIENCE)
        assert running.wait(PATIENCE) == 1
    finally:
        running.kill()
        running.wait()
    assert '"grpc ended"' in log.read_text()


def test_a_drain_ends_although_nobody_calls() -> None:
    """The server waits for calls of unknown methods until it stops, and no longer."""
    with Serving(embedded()) as own:
        assert ask(own, "/\xff") == UNIMPLEMENTED
        own.drain()
