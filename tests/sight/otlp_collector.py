"""A collector of OpenTelemetry that keeps what it gets in memory."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Received:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    error: str
    seconds: float
    start: float
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """Takes spans over HTTP, at `url`."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        taken = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/traces":
                    taken.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def of(self, trace_id: str) -> list[Received]:
        """Returns the spans of a trace."""
        return [each for each in tuple(self.spans) if each.trace_id == trace_id]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _spans(message: Any) -> list[Received]:
    return [
        Received(
            each.name,
            each.trace_id.hex(),
            each.span_id.hex(),
            each.parent_span_id.hex(),
            each.kind,
            each.status.message if each.status.code == 2 else "",
            (each.end_time_unix_nano - each.start_time_unix_nano) / 1e9,
            each.start_time_unix_nano / 1e9,
            _values(each.attributes),
            _values(part.resource.attributes),
        )
        for part in message.resource_spans
        for scope in part.scope_spans
        for each in scope.spans
    ]


def _values(pairs: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in pairs}
