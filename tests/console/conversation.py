"""Talks to a running console over HTTP, as the page of a browser does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer: its status, its content, and its headers."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)

    @property
    def reason(self) -> str:
        """The code of an error."""
        return str(self.json["error"]["reason"])


@dataclass(frozen=True, slots=True)
class Conversation:
    """Requests to one console, by one visitor.

    Args:
        url: where the console is.
        cookie: the cookie of the session, `name=value`; empty without one.
    """

    url: str
    cookie: str = ""

    def get(self, path: str, **parameters: Any) -> HttpAnswer:
        """Sends a GET; parameters that are None are left out."""
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return self.send("GET", f"{path}?{query}" if query else path)

    def post(self, path: str, body: object = None) -> HttpAnswer:
        """Sends a POST with JSON."""
        return self.send("POST", path, json.dumps({} if body is None else body).encode())

    def send(self, method: str, path: str, content: bytes | None = None) -> HttpAnswer:
        """Sends a request with any content."""
        headers = {"Content-Type": "application/json", "Origin": self.url}
        if self.cookie:
            headers["Cookie"] = self.cookie
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return HttpAnswer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return HttpAnswer(error.code, error.read(), dict(error.headers))
