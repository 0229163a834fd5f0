"""Settings by flag and by variable, and what is neither: misspelt names get the nearest setting's.

Kubernetes gives every container variables of its services: a Service called `sequela` makes
SEQUELA_PORT=tcp://10.0.0.1:50051 of itself, which is nobody's port. Those are left aside.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_settings import EnvSettingsSource

PREFIX = "SEQUELA_"
OTHERS = frozenset({"SEQUELA_SHARED", "SEQUELA_REDIS_SERVER"})
"""What the project's own tests are told by."""
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
_SERVICE_NAME = re.compile(
    r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)


class Variables(EnvSettingsSource):
    """Settings from variables, without Kubernetes' own."""

    def __call__(self) -> dict[str, Any]:
        """As its base."""
        return {name: value for name, value in super().__call__().items() if not is_service_link(value)}


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A name that is no setting's. `nearest`: the one that may be meant, or empty."""

    name: str
    nearest: str

    @classmethod
    def of(cls, name: str, known: Iterable[str], prefix: str) -> Misspelt:
        """With the nearest of the known ones; what all begin with makes nobody alike."""
        ends = [each.removeprefix(prefix) for each in known]
        found = difflib.get_close_matches(name[len(prefix) :].upper(), [each.upper() for each in ends], 1)
        matches = [each for each in ends if each.upper() in found]
        return cls(name, f"{prefix}{matches[0]}" if matches else "")

    def __str__(self) -> str:
        """In words."""
        return f"there is no setting {self.name}" + (
            f"; did you mean {self.nearest}?" if self.nearest else ""
        )


def flag(name: str) -> str:
    """`--kebab-case` of a setting's name."""
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """`SEQUELA_…` of a setting's name."""
    return f"{PREFIX}{name.upper()}"


def unknown_variables(environment: Mapping[str, str], names: Iterable[str]) -> list[Misspelt]:
    """Those that begin as settings do and are none, by name."""
    known = [variable(name) for name in names]
    return [
        Misspelt.of(given, known, PREFIX)
        for given, value in sorted(environment.items())
        if given.upper().startswith(PREFIX)
        and given.upper() not in OTHERS.union(known)
        and not is_service_link(value)
        and not _SERVICE_NAME.fullmatch(given.upper())
    ]


def unknown_flags(arguments: Iterable[str], names: Iterable[str], switches: Iterable[str]) -> list[Misspelt]:
    """Those that are no setting's, nor turn one of the switches off. What follows `=` or `--` does not count."""
    known = ["--help", *map(flag, names), *(flag(f"no_{name}") for name in switches)]
    options = itertools.takewhile(lambda each: each != "--", arguments)
    given = [each.partition("=")[0] for each in options if each.startswith("--")]
    return [Misspelt.of(each, known, "--") for each in given if each not in known]


def is_service_link(value: object) -> bool:
    """Whether Kubernetes wrote it."""
    return isinstance(value, str) and _SERVICE_LINK.fullmatch(value) is not None
