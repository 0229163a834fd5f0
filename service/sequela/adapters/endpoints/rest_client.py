"""Sends JSON over HTTP to one endpoint, and converts statuses to errors with one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpcore
import orjson

from sequela.adapters.endpoints.addresses import AddressGuard, open_guard
from sequela.adapters.endpoints.answers import WrongAnswer
from sequela.adapters.endpoints.credentials import Credentials, UnusableCredentials
from sequela.adapters.endpoints.failures import (
    RETRY_SECONDS,
    RetryableError,
    invalid_answer_error,
    overload_error,
    refusal,
    seconds_left,
    unreachable_error,
    unusable_error,
)
from sequela.adapters.endpoints.http_connection import HttpConnections, HttpConnectionSpec
from sequela.adapters.endpoints.reconnecting_connection import ReconnectingConnection
from sequela.adapters.endpoints.rest_answers import ERROR, READY, read_answer
from sequela.adapters.endpoints.transport_limits import TransportLimits, user_agent
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import SequelaError
from sequela.spans import outgoing_headers

OVERLOADED = 429
UNAVAILABLE = 503
GATEWAYS = (502, 504)
"""Statuses of a gateway about a server behind it. The server may have done the work, so such calls are not retried."""
LONGEST_RETRY_SECONDS = 3600.0

Headers = list[tuple[bytes, bytes]]


class Rest:
    """Sends JSON, and returns the bodies of answers. Raises as `Transport` does. Safe to use from several threads."""

    def __init__(
        self,
        uri: EndpointUri,
        credentials: Credentials,
        limits: TransportLimits,
        guard: AddressGuard | None,
    ) -> None:
        self.uri = uri
        self._credentials, self._limits = credentials, limits
        self._guard = guard or open_guard(uri)
        self._connections: ReconnectingConnection[HttpConnections] = ReconnectingConnection(self._find_spec)

    def get(self, path: str, until: float) -> bytes:
        """Returns the body of the answer to GET."""
        return self._ask("GET", path, b"", until)

    def post(self, path: str, content: Any, until: float) -> bytes:
        """Returns the body of the answer to POST. `content` is sent as JSON, with numpy arrays as lists of numbers."""
        body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
        if len(body) > self._limits.message_bytes:
            text = (
                f"the call has {len(body)} bytes, which exceeds the limit of {self._limits.message_bytes} bytes "
                "(--endpoint-message-bytes)"
            )
            raise unusable_error(self.uri, text)
        return self._ask("POST", path, body, until)

    def ready(self, path: str, until: float) -> bool:
        """Returns whether the path exists and does not say that the model is not ready. The answer may be empty.

        Raises as `Transport.describe`.
        """
        content = self.get(path, until)
        try:
            return read_answer(READY, content, "the answer").ready
        except WrongAnswer:
            return True

    def close(self) -> None:
        """Closes all connections. Calls in flight fail."""
        self._connections.close()

    def _find_spec(self, _timeout: float | None) -> HttpConnectionSpec:
        """Builds the spec without a look-up, because the guard looks names up for every new connection."""
        tls = self._credentials.tls() if self.uri.secure else None
        return HttpConnectionSpec(self._guard, self._credentials, tls, self._limits.connect_seconds)

    def _ask(self, method: str, path: str, body: bytes, until: float) -> bytes:
        try:
            status, headers, content = self._exchange(method, path, body, until)
        except UnusableCredentials as error:
            raise unusable_error(self.uri, str(error)) from None
        except httpcore.RemoteProtocolError as error:
            raise invalid_answer_error(self.uri, f"it does not speak HTTP/1.1: {error}") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            seconds_left(until)
            # The certificates may have been replaced, so the next call reads them again.
            self._connections.doubt()
            raise unreachable_error(self.uri, str(error) or type(error).__name__) from None
        if not 200 <= status < 300:
            raise self._failure(status, headers, content)
        return content

    def _exchange(self, method: str, path: str, body: bytes, until: float) -> tuple[int, Headers, bytes]:
        """Returns status, headers and body.

        Raises ConnectionError if the server closes before the answer is complete.
        """
        url = f"{self.uri.scheme}://{self.uri.authority}{path}"
        with self._connections.use(seconds_left(until)) as site, site.exchange(until) as exchange:
            try:
                with site.pool.stream(method, url, headers=self._headers(), content=body or None) as response:
                    return response.status, response.headers, self._body(response.iter_stream())
            except httpcore.RemoteProtocolError as error:
                if exchange.closed_by_server:
                    raise ConnectionError(str(error)) from None
                raise

    def _headers(self) -> Headers:
        headers = [
            ("host", self.uri.authority),
            ("user-agent", user_agent()),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            # A compressed answer could exceed the limit on its size when it is unpacked.
            ("accept-encoding", "identity"),
            *self._credentials.metadata(),
            *outgoing_headers(),
        ]
        return [(name.encode(), value.encode()) for name, value in headers]

    def _body(self, pieces: Iterable[bytes]) -> bytes:
        body = bytearray()
        for piece in pieces:
            # Checked while reading, so that a server cannot fill the memory.
            body += piece
            if len(body) > self._limits.message_bytes:
                text = (
                    f"it exceeds the limit of {self._limits.message_bytes} bytes (--endpoint-message-bytes)"
                )
                raise invalid_answer_error(self.uri, text)
        return bytes(body)

    def _failure(self, status: int, headers: Headers, content: bytes) -> SequelaError | RetryableError:
        """Returns the error for a status."""
        words = f"HTTP {status}: {_words(content)}"
        if status == UNAVAILABLE:
            return unreachable_error(self.uri, words, _retry_after(headers))
        if status in GATEWAYS:
            return unreachable_error(self.uri, words).error
        if status == OVERLOADED:
            return overload_error(self.uri, words, _retry_after(headers))
        if 300 <= status < 400:
            words = f"HTTP {status}, a redirect to {_header(headers, b'location')}, which is not followed"
        return refusal(self.uri, words)


def _words(content: bytes) -> str:
    """Returns the server's own text in the body of an error."""
    text = content.decode(errors="replace")
    try:
        answer = read_answer(ERROR, content, "the error")
    except WrongAnswer:
        return text
    return answer.error or answer.detail or text


def _retry_after(headers: Headers) -> float:
    """Returns the server's retry delay in seconds, or the default. Dates are ignored."""
    said = _header(headers, b"retry-after")
    return min(float(said), LONGEST_RETRY_SECONDS) if said.isdecimal() else RETRY_SECONDS


def _header(headers: Headers, name: bytes) -> str:
    return next((value.decode(errors="replace") for key, value in headers if key.lower() == name), "")
