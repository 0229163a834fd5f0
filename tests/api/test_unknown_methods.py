"""Calls of methods that are not there, and of paths that are none: each is refused, and the server goes on."""

from __future__ import annotations

import grpc
import pytest
from api.test_bad_input import assert_serving
from request_fuzz import http2
from serving import PATIENCE, Serving, embedded

UNIMPLEMENTED = str(grpc.StatusCode.UNIMPLEMENTED.value[0])


def ask(server: Serving, path: str) -> str:
    """Returns the status of a call of a path, which is written as Latin-1."""
    headers = [
        *((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")),
        *(("te", "trailers"), ("content-type", "application/grpc")),
    ]
    return http2.ask(server.bound.grpc, headers, b"", PATIENCE).partition(" ")[0]


@pytest.mark.parametrize("path", ["/\xff/\xfe", "/sequela.v1.ModelService/\xed\xa0\x80", "/\xff"])
def test_a_path_that_is_no_text(server: Serving, path: str) -> None:
    """It ended the loop of gRPC's own server, and with it all calls."""
    for _ in range(3):
        assert ask(server, path) == UNIMPLEMENTED
        assert_serving(server)


@pytest.mark.parametrize(
    "path", ["/sequela.v1.ModelService/Nothing", "/nobody.v1.Service/Get", "/", "/a/b/c"]
)
def test_a_method_that_is_not_there(server: Serving, path: str) -> None:
    """UNIMPLEMENTED, as from any server of gRPC."""
    assert ask(server, path) == UNIMPLEMENTED
    assert_serving(server)


def test_a_library_hears_it_too(server: Serving) -> None:
    """By a channel that other calls use."""
    with pytest.raises(grpc.RpcError) as caught:
        server.channel.unary_unary("/sequela.v1.ModelService/Nothing")(b"", timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_drain_ends_although_nobody_calls() -> None:
    """The server waits for calls of unknown methods until it stops, and no longer."""
    with Serving(embedded()) as own:
        assert ask(own, "/\xff") == UNIMPLEMENTED
        own.drain()
