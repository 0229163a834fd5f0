"""Copies of CSV files in UTF-8, the only encoding that DuckDB reads without an extension."""

from __future__ import annotations

import atexit
import codecs
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from sequela_client.errors import CallerError

# Characters that are copied at a time.
_CHUNK = 1 << 20


def utf8_copies(paths: Sequence[str], encoding: str, folder: str | None) -> list[str]:
    """Copies files, and returns the paths of the copies. They are removed when this process ends.

    Args:
        paths: the files, which may be compressed.
        encoding: their encoding.
        folder: where the copies are made; None: a folder of the system.

    Raises:
        CallerError: there is no such encoding, or a file is not in it.
    """
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise CallerError(
            f"encoding: must be the name of an encoding, such as utf-8, utf-16, cp1252 or latin-1, not {encoding!r}",
            reason="ARGUMENT_INVALID",
        ) from None
    if name == "utf-8":
        return list(paths)
    scratch = tempfile.TemporaryDirectory(prefix="sequela-", dir=folder, ignore_cleanup_errors=True)
    atexit.register(scratch.cleanup)
    return [
        _copy(path, name, Path(scratch.name, f"{number}-{_plain_name(path)}"))
        for number, path in enumerate(paths)
    ]


def _plain_name(path: str) -> str:
    """The name of a file, without .gz or .zst if it is compressed."""
    return Path(path).name.removesuffix(".gz").removesuffix(".zst")


def _copy(path: str, encoding: str, copy: Path) -> str:
    try:
        with (
            pa.input_stream(path, compression="detect") as packed,
            codecs.getreader(encoding)(packed) as file,
            copy.open("w", encoding="utf-8", newline="") as written,
        ):
            while text := file.read(_CHUNK):
                written.write(text)
    except UnicodeError as error:
        text = f"{Path(path).name}: it is not encoded as {encoding}: {error}"
        raise CallerError(text, reason="FILE_NOT_READABLE") from error
    except (OSError, pa.ArrowException) as error:
        raise CallerError(f"{Path(path).name}: {error}", reason="FILE_NOT_READABLE") from error
    return str(copy)
