"""Serves the same models over HTTP, by KServe's version 1 and by the Open Inference Protocol. Tests can make it answer
wrongly.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import numpy as np
from free_ports import bind_any
from inference_server import NUMPY, Certificates, ServedModel, Tensor, WrongCall
from numpy.typing import NDArray

Twist = Callable[["Handler", Callable[[], None]], None]
"""A function that is called instead of answering, with the handler and the function that answers correctly."""

PATH = re.compile(
    r"/(?P<protocol>v[12])/models/(?P<name>[^/:]+)(/versions/(?P<version>[^/:]+))?(?P<verb>[/:]\w+)?"
)


@dataclass(frozen=True)
class Visit:
    """What the server received with a call."""

    path: str
    headers: Mapping[str, str]
    body: Any


class Handler(BaseHTTPRequestHandler):
    """Handles one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise what follows the headers waits 40 ms for the caller's system
    server: _Http
    body: Any = None
    """What was received, as JSON."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        visit = Visit(self.path, headers, json.loads(body) if body else None)
        self.body = visit.body
        owner = self.server.owner
        owner.visits.append(visit)
        answer = lambda: self._answer(visit.body)  # noqa: E731
        with suppress(ConnectionError):
            if owner.twist:
                owner.twist(self, answer)
            else:
                answer()

    def say(self, content: bytes, status: int = 200, **headers: str) -> None:
        """Sends an answer with these bytes."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def hang_up(self) -> None:
        """Resets the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Does nothing, to keep the output of tests clean."""

    def _answer(self, body: Any) -> None:
        found = PATH.fullmatch(self.path)
        model = self.server.owner.models.get(found["name"]) if found else None
        if found is None or model is None:
            self._json({"error": f"Model with name {self.path} does not exist."}, 404)
            return
        work = {
            ("v2", None): _metadata,
            ("v2", "/infer"): _infer,
            ("v2", "/config"): _config,
            ("v1", ":predict"): _predict,
        }.get((found["protocol"], found["verb"]), _ready)
        try:
            self._json(work(found["name"], model, body))
        except WrongCall as error:
            self._json({"error": str(error)}, 400)

    def _json(self, answer: Any, status: int = 200) -> None:
        self.say(json.dumps(answer).encode(), status, Content_Type="application/json")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: RestServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores callers that hang up."""


@dataclass
class RestServer:
    """A server that runs inside a `with` block."""

    models: Mapping[str, ServedModel]
    certificates: Certificates | None = None
    client_certificates: bool = False
    twist: Twist | None = None
    visits: list[Visit] = field(default_factory=list)
    port: int = 0
    _server: _Http | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def uri(self, name: str, protocol: str = "v2") -> str:
        """Returns the URI of a model."""
        return f"http{'s' if self.certificates else ''}://127.0.0.1:{self.port}/{protocol}/models/{name}"

    def start(self) -> None:
        """Starts the server, or starts it again on the same port."""
        self._server = self._bind(self.port) if self.port else bind_any(self._bind)
        self._server.owner = self
        self.port = self._server.server_address[1]
        if self.certificates:
            self._server.socket = self._context().wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="inference http"
        )
        self._thread.start()

    @staticmethod
    def _bind(port: int) -> _Http:
        return _Http(("127.0.0.1", port), Handler)

    def stop(self) -> None:
        """Stops accepting connections."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

    def _context(self) -> ssl.SSLContext:
        assert self.certificates is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.certificates.server)
        if self.client_certificates:
            context.load_verify_locations(self.certificates.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def saying(content: Any, status: int = 200, **headers: str) -> Twist:
    """Returns a twist that always gives this answer: bytes, or a value as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda handler, answer: handler.say(body, status, **headers)


def reset(handler: Handler, answer: Callable[[], None]) -> None:
    """Resets the connection at once."""
    handler.hang_up()


def closed(handler: Handler, answer: Callable[[], None]) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True


def cut_off(handler: Handler, answer: Callable[[], None]) -> None:
    """Closes the connection in the middle of an answer."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def _tensors(tensors: list[Tensor]) -> list[dict[str, Any]]:
    return [{"name": item.name, "datatype": item.datatype, "shape": item.shape} for item in tensors]


def _metadata(name: str, model: ServedModel, _body: Any) -> Any:
    described = {"name": name, "versions": [model.version], "platform": "onnxruntime_onnx"}
    return {**described, "inputs": _tensors(model.inputs), "outputs": _tensors(model.outputs)}


def _config(name: str, model: ServedModel, _body: Any) -> Any:
    return {"name": name, "max_batch_size": model.max_rows}


def _ready(name: str, model: ServedModel, _body: Any) -> Any:
    return {"name": name, "ready": True}


def _infer(name: str, model: ServedModel, body: Any) -> Any:
    feeds = {
        item["name"]: np.array(item["data"], NUMPY[item["datatype"]]).reshape(item["shape"])
        for item in body["inputs"]
    }
    wanted = body["outputs"][0]["name"] if "outputs" in body else ""
    tensor, values = model.run(feeds, wanted)
    output = {"name": tensor.name, "datatype": tensor.datatype, "shape": values.shape}
    data = values.reshape(-1).tolist()
    return {"model_name": name, "model_version": model.version, "outputs": [{**output, "data": data}]}


def _predict(name: str, model: ServedModel, body: Any) -> Any:
    """Answers KServe's first protocol, whose rows are arrays or objects by input name."""
    rows = body["instances"]
    given = rows[0] if isinstance(rows[0], dict) else {model.inputs[0].name: rows[0]}
    feeds: dict[str, NDArray[Any]] = {}
    for item in model.inputs:
        if item.name not in given:
            raise WrongCall(f"input {item.name} is missing")
        values = [row[item.name] if isinstance(row, dict) else row for row in rows]
        feeds[item.name] = np.array(values, NUMPY[item.datatype])
    return {"predictions": model.run(feeds, "")[1].tolist()}
