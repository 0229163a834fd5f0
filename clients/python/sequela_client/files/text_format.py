"""How a text file is to be read, where the file alone does not say; and how a refusal names the file."""

from __future__ import annotations

from dataclasses import dataclass

from sequela_client.errors import CallerError


@dataclass(frozen=True, slots=True)
class TextFormat:
    """What the caller says of a text file; what is left None is seen from the file.

    `header`: whether the first row holds names. `delimiter`: what stands between columns. `decimal`: the decimal
    mark. `encoding`: how the text is stored.
    """

    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


def invalid(where: object, what: str) -> CallerError:
    """A file that cannot be read as it stands."""
    return CallerError(f"{where}: {what}", reason="FILE_INVALID")
