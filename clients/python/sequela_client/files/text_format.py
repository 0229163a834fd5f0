"""How a text file is written, and the error about a file that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.errors import CallerError


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a text file is written. What is None is detected.

    Args:
        header: whether the first row has the names of the columns.
        delimiter: what separates columns.
        decimal: the decimal mark of numbers.
        encoding: the encoding of the text.
    """

    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


def file_error(where: object, what: str) -> CallerError:
    """The error about a file that cannot be read."""
    return CallerError(f"{where}: {what}", reason="FILE_INVALID")
