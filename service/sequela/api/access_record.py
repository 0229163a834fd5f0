"""What is known of the caller of the current request, for handlers and for the audit log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from sequela.access.caller import ANYBODY, STRANGER, Caller
from sequela.api.audited_names import kind_of
from sequela.api.permissions import Permissions

MAX_RESOURCE_LENGTH = 300
"""Longer names are cut, since nobody has checked them yet. A name of a background has at most 276 characters."""


@dataclass(slots=True)
class AccessRecord:
    """What the audit log says about one request. It is filled while the request is served.

    Attributes:
        permissions: What the roles of this server permit.
        caller: The sender of the request.
        resource: The name of the model, background or explanation that the request is about, as the caller wrote it.
        host: The address that the request came from, without the port.
    """

    permissions: Permissions
    caller: Caller = STRANGER
    resource: str = ""
    host: str = ""


_current: ContextVar[AccessRecord | None] = ContextVar("access_record", default=None)


@contextlib.contextmanager
def access_record(permissions: Permissions, host: str = "") -> Iterator[AccessRecord]:
    """Makes the record of the request that the body serves. Tasks and threads that the body starts see it too."""
    record = AccessRecord(permissions, host=host)
    before = _current.set(record)
    try:
        yield record
    finally:
        _current.reset(before)


def current_caller() -> Caller:
    """Returns the caller of the current request; outside a request, `ANYBODY`."""
    record = _current.get()
    return record.caller if record else ANYBODY


def current_client() -> str:
    """Returns the client to which the queues attribute the current request: the caller's name, or else its address."""
    record = _current.get()
    return (record.caller.name or record.host) if record else ""


def check_own_models(field: str) -> None:
    """Checks that the caller of the current request may send a model with it, or name an endpoint in it.

    Args:
        field: The path of the model or the endpoint in the request, such as `model.inline`.

    Raises:
        NotPermitted: MODEL_NOT_PERMITTED, because the caller lacks the role.
    """
    if record := _current.get():
        record.permissions.check_own_models(record.caller, field)


def note_resource(name: str) -> None:
    """Notes the name of the model, background or explanation that the current request is about, for the audit log."""
    if name and (record := _current.get()):
        record.resource = name[:MAX_RESOURCE_LENGTH]


def withdraw_resource() -> None:
    """Replaces the noted name by its kind, because the request was not served. For items of a stream."""
    if record := _current.get():
        record.resource = kind_of(record.resource)
