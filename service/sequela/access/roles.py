"""The roles of callers. `api.permissions` has the methods that each role may call."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class AccessRole(StrEnum):
    """A set of methods. A caller may have several roles.

    Attributes:
        EXPLAIN: Explain and score, and look up models and backgrounds.
        READ: Read stored explanations, and look up models and backgrounds.
        ADMIN: Everything.
    """

    EXPLAIN = "explain"
    READ = "read"
    ADMIN = "admin"


EVERY_ROLE = frozenset(AccessRole)


def parse_roles(names: Iterable[str]) -> frozenset[AccessRole]:
    """Returns the roles with these names. Raises ValueError for an unknown name, or if there is none."""
    given = list(names)
    unknown = [each for each in given if each not in set(AccessRole)]
    if unknown or not given:
        found = f"not {unknown[0][:40]!r}" if unknown else "but none is given"
        raise ValueError(f"roles must be some of {', '.join(AccessRole)}, {found}")
    return frozenset(map(AccessRole, given))
