"""Reads files of the model repository: regular ones only, and no more bytes than allowed.

A link may lead to a device that never ends, or to a pipe that nobody writes to.
"""

from __future__ import annotations

from pathlib import Path

from sequela.errors import InvalidInput


def read_bounded(path: Path, max_bytes: int, place: str) -> bytes:
    """Returns the content of a file.

    Args:
        path: The file.
        max_bytes: Its largest size.
        place: Its name in errors.

    Raises:
        OSError: The file cannot be read.
        InvalidInput: FILE_UNSUPPORTED if it is not a regular file, FILE_TOO_LARGE.
    """
    # Only an existing file can be of another kind; a missing one is reported by `open`.
    if path.exists() and not path.is_file():
        raise InvalidInput.at(place, "FILE_UNSUPPORTED", "is not a regular file")
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InvalidInput.at(place, "FILE_TOO_LARGE", f"is larger than the limit of {max_bytes} bytes")
    return content
