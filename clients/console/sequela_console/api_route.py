"""The routes of the API as data: method, path, the role that is needed, and the function that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sequela_console.context import Console
from sequela_console.sessions.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as the functions that answer it see it.

    Args:
        visitor: who asks, and the client of the service with that person's credentials.
        path: the variables of the path, such as `id`.
        query: the parameters after the question mark; of a repeated one the last.
        body: the JSON body; empty if there is none.
        address: scheme, host and port under which the console was called, such as `http://localhost:8050`.
    """

    visitor: Visitor
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    address: str


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A route. `answer` runs in a thread, so it may wait for the service and for files.

    Args:
        method: GET, POST or DELETE.
        path: the path in Starlette's form, such as `/api/alerts/{id}`.
        answer: returns what becomes JSON, a response of its own, or raises ApiError or SequelaError.
        role: the role of the service that is needed: read, explain or admin. An admin may do everything.
    """

    method: str
    path: str
    answer: Callable[[Console, Question], Any | Response]
    role: str = "read"
