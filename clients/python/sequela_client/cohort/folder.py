"""The folder that a bulk explanation writes to. It has one question, and one run writes to it at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sequela_client.cohort import schema
from sequela_client.cohort.parts import TEMPORARY, replace_file
from sequela_client.errors import CallerError

QUESTION_NAME = "_question.json"
LOCK_NAME = "_lock"
BACKGROUND_FILE = "background_file"
"""The key of the digest of the background's file. Another file may have the same values."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a folder for this process. The lock ends with the process, even if that is killed.

    Raises:
        CallerError: FOLDER_IN_USE, FOLDER_NOT_OURS or FOLDER_NOT_WRITABLE.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_ours(folder)
        lock = (folder / LOCK_NAME).open("a+")
    except OSError as error:
        raise CallerError(f"{folder}: {error.strerror}", reason="FOLDER_NOT_WRITABLE") from error
    with lock:
        if not _lock(lock.fileno()):
            raise CallerError(
                f"{folder}: another process is writing to this folder; wait until it ends, or name another folder "
                "with --out",
                reason="FOLDER_IN_USE",
            )
        # Nobody else writes here now, so these are left from a run that was killed.
        for left in folder.glob(f"*{TEMPORARY}"):
            left.unlink()
        yield


def _lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415

            getattr(msvcrt, "locking")(descriptor, getattr(msvcrt, "LK_NBLCK"), 1)  # noqa: B009
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _check_ours(folder: Path) -> None:
    """Raises CallerError if the folder has files that are not those of a bulk explanation."""
    ours = (QUESTION_NAME, LOCK_NAME)
    foreign = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in ours and not path.match(schema.PART_PATTERN) and not path.name.endswith(TEMPORARY)
    )
    unasked = any(folder.glob(schema.PART_PATTERN)) and not (folder / QUESTION_NAME).exists()
    if foreign or unasked:
        text = (
            f"has other files ({', '.join(foreign[:3])})" if foreign else f"has parts, but no {QUESTION_NAME}"
        )
        raise CallerError(
            f"{folder}: {text}; name a new folder with --out, or the one of an earlier run",
            reason="FOLDER_NOT_OURS",
        )


def keep_question(folder: Path, record: Mapping[str, Any]) -> None:
    """Stores the question of a folder, or compares it with the stored one if the folder has parts.

    A run that ended before its first part leaves a question without any rows, which is replaced.

    Raises:
        CallerError: QUESTION_DIFFERS. The message says in what.
    """
    path = folder / QUESTION_NAME
    text = json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True)
    if path.exists() and any(folder.glob(schema.PART_PATTERN)):
        _compare(folder, json.loads(path.read_text("utf-8")), json.loads(text))
        return
    writing = path.with_name(path.name + TEMPORARY)
    with writing.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        # The question must be on disk before the first rows that answer it.
        os.fsync(file.fileno())
    replace_file(writing, path)


def _compare(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    compared = {*before, *now} - {BACKGROUND_FILE}
    names = sorted(name for name in compared if before.get(name) != now.get(name))
    if names:
        told = "; ".join(
            f"{name} was {_short(before.get(name))}, now {_short(now.get(name))}" for name in names
        )
        raise CallerError(
            f"{folder}: its rows answer another question: {told}. Ask the same question to continue, or name another "
            "folder with --out",
            reason="QUESTION_DIFFERS",
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
