"""Names of stored explanations as people type them: without `explanations/`, and only as much as is unique."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from sequela_client.client import Sequela
from sequela_client.errors import CallerError, NotFound
from sequela_client.explanation import Explanation

_PREFIX = "explanations/"
_SHORTEST = 4  # a shorter beginning is more likely a mistake
_SHOWN = 8
_PAGE = 1_000
_SEARCHED = 10 * _PAGE  # more pages would take too long
_NAMED = 3


def full_name(name: str) -> str:
    """The name of an explanation with its prefix, which may be left out in a command."""
    return name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"


def short_name(name: str) -> str:
    """The name without its prefix."""
    return name.removeprefix(_PREFIX)


def beginnings(names: Iterable[str]) -> list[str]:
    """The beginnings of names that tell them apart, of 8 characters or more, all of the same length."""
    short = list(map(short_name, names))
    length, longest = _SHOWN, max(map(len, short), default=0)
    while length < longest and len({each[:length] for each in short}) < len(set(short)):
        length += 1
    return [each[:length] for each in short]


def read_explanation(sequela: Sequela, name: str) -> Explanation:
    """Reads the stored explanation with this name, or with the only name that begins so.

    Raises:
        NotFound: there is none.
        CallerError: several names begin so.
    """
    try:
        return sequela.get_explanation(full_name(name))
    except NotFound:
        return sequela.get_explanation(complete_name(sequela, name))


def complete_name(sequela: Sequela, beginning: str) -> str:
    """Returns the only name of the newest 10,000 stored explanations that begins so.

    Raises:
        NotFound: there is none, or less than 4 characters are given.
        CallerError: there are several.
    """
    typed, wanted = short_name(beginning), full_name(beginning)
    if len(typed) < _SHORTEST:
        text = f"there is no explanation {typed!r}; to shorten a name, give at least its first {_SHORTEST} characters"
        raise NotFound(text, reason="EXPLANATION_NOT_FOUND")
    listed = islice(sequela.list_explanations(page_size=_PAGE), _SEARCHED)
    found = list(islice((each.name for each in listed if each.name.startswith(wanted)), _NAMED + 1))
    if not found:
        text = f"there is no explanation {typed!r}, and no name of the newest {_SEARCHED:,} begins so"
        raise NotFound(f"{text}; `sequela list` lists them", reason="EXPLANATION_NOT_FOUND")
    if len(found) > 1:
        more = ", …" if len(found) > _NAMED else ""
        text = f"{typed!r} is the beginning of several explanations, {', '.join(map(short_name, found[:_NAMED]))}{more}"
        raise CallerError(f"{text}; give more of the name", reason="NAME_AMBIGUOUS")
    return found[0]
