"""The format of a text file, and the error about a file that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.errors import CallerError


@dataclass(frozen=True, slots=True)
class TextFormat:
    """The format of a text file. Fields that are None are detected.

    Args:
        header: whether the first row has the names of the columns.
        delimiter: the character between columns.
        decimal: the decimal mark of numbers.
        encoding: the encoding of the text.
    """

    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


def file_error(where: object, what: str) -> CallerError:
    """Returns the error about a file that cannot be read."""
    return CallerError(f"{where}: {what}", reason="FILE_INVALID")
