"""Reads files of one entry a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z0-9._@:/+-]{1,128}")


class NoEntries(ValueError):
    """A file has nothing but comments and empty lines."""


# Within a word, `#` belongs to the name, as in the fragment of a URI.
_COMMENT = re.compile(r"(?:^|\s)#.*")


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields the number and the text of each line, without empty lines and lines that are comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        if without_comment(line):
            yield number, line.strip()


def numbered_words(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the words of each line, without empty lines and comments."""
    for number, line in numbered_lines(text):
        yield number, without_comment(line).split()


def without_comment(line: str) -> str:
    """Returns a line without its comment, which starts at the line's start, or after a space, with `#`."""
    return _COMMENT.sub("", line, count=1).strip()


def digest_of(word: str, what: str) -> str:
    """Returns the digits of a SHA-256. Raises ValueError, which does not repeat the word: it may be a secret."""
    found = DIGEST.fullmatch(word)
    if not found:
        raise ValueError(f"{what} must be `sha256:` and 64 hexadecimal digits")
    return found[1].lower()
