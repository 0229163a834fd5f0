"""The names of settings as options and as environment variables, and suggestions for misspelt ones.

Kubernetes sets variables for every Service in every container of a namespace. A Service called `sequela` sets
SEQUELA_PORT=tcp://10.0.0.1:50051, which is not our port. Such variables are ignored.
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
TEST_VARIABLES = frozenset({"SEQUELA_SHARED", "SEQUELA_REDIS_SERVER"})
"""Variables that the project's own tests read."""

_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
_SERVICE_NAME = re.compile(
    r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)


class VariableSource(EnvSettingsSource):
    """Reads settings from environment variables, without those that Kubernetes sets."""

    def __call__(self) -> dict[str, Any]:
        """Returns the values by setting, as the base class does."""
        return {name: value for name, value in super().__call__().items() if not is_service_link(value)}


@dataclass(frozen=True, slots=True)
class UnknownName:
    """An option or a variable that is not a setting. `nearest` is the one that may be meant, or empty."""

    name: str
    nearest: str

    @classmethod
    def of(cls, name: str, known: Iterable[str], prefix: str) -> UnknownName:
        """Looks for the nearest known name. The common prefix is left out, since it would make all names similar."""
        names = [each.removeprefix(prefix) for each in known]
        found = difflib.get_close_matches(name[len(prefix) :].upper(), [each.upper() for each in names], 1)
        matches = [each for each in names if each.upper() in found]
        return cls(name, f"{prefix}{matches[0]}" if matches else "")

    def __str__(self) -> str:
        """Returns the message for a person."""
        return f"there is no setting {self.name}" + (
            f"; did you mean {self.nearest}?" if self.nearest else ""
        )


def flag(name: str) -> str:
    """Returns the option of a setting: `--max-events` for `max_events`."""
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    """Returns the environment variable of a setting: `SEQUELA_MAX_EVENTS` for `max_events`."""
    return f"{PREFIX}{name.upper()}"


def unknown_variables(environment: Mapping[str, str], names: Iterable[str]) -> list[UnknownName]:
    """Returns the variables that begin with the prefix but are not a setting, sorted by name."""
    known = [variable(name) for name in names]
    return [
        UnknownName.of(given, known, PREFIX)
        for given, value in sorted(environment.items())
        # pydantic ignores the case of variables, so this check does too.
        if given.upper().startswith(PREFIX)
        and given.upper() not in TEST_VARIABLES.union(known)
        and not is_service_link(value)
        and not _SERVICE_NAME.fullmatch(given.upper())
    ]


def unknown_flags(
    arguments: Iterable[str], names: Iterable[str], switches: Iterable[str]
) -> list[UnknownName]:
    """Returns the options that are not a setting, and do not turn off a switch. What follows `--` is not checked."""
    known = ["--help", *map(flag, names), *(flag(f"no_{name}") for name in switches)]
    options = itertools.takewhile(lambda each: each != "--", arguments)
    given = [each.partition("=")[0] for each in options if each.startswith("--")]
    return [UnknownName.of(each, known, "--") for each in given if each not in known]


def is_service_link(value: object) -> bool:
    """Returns whether a value looks like one that Kubernetes sets for a Service."""
    return isinstance(value, str) and _SERVICE_LINK.fullmatch(value) is not None
