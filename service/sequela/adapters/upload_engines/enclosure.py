"""What confines a model to its process, and what to do where the kernel does not offer it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol

import structlog

from sequela.engines.sandbox import sandbox_report
from sequela.errors import Forbidden

_log = structlog.get_logger(__name__)


class Enclosure(Protocol):
    """Where models run."""

    def open(self) -> str:
        """Returns where the models run, for operators. Raises Forbidden if they must not run there."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Implements `Enclosure` for models from callers.

    Attributes:
        unsafe: Whether they run even where the kernel offers neither Landlock nor seccomp.
    """

    unsafe: bool

    def open(self) -> str:
        """See `Enclosure`."""
        report = sandbox_report()
        _note_sandbox()
        if not (report.contained or self.unsafe):
            text = (
                "this server does not run models from callers, because its kernel offers neither Landlock nor seccomp "
                "to contain them; the operator can allow it with --unsafe-uploads"
            )
            raise Forbidden("UPLOADS_NOT_CONTAINED", text)
        return f"in a sandbox of its own ({report})"


class Unenclosed:
    """Implements `Enclosure` for models of the operator, which run in ordinary processes."""

    def open(self) -> str:
        """See `Enclosure`."""
        return ""


@functools.cache
def _note_sandbox() -> None:
    """Logs once what is missing."""
    report = sandbox_report()
    if not report.complete:
        _log.warning("sandbox incomplete", detail=str(report))
