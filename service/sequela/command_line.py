"""Reads the settings from the command line and the environment, and describes them for the help and the docs."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Literal, NoReturn, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import CliApp, SettingsError

from sequela.setting_names import UnknownName, flag, unknown_flags, unknown_variables, variable
from sequela.settings import SECTIONS, Settings

INTRODUCTION = """\
Usage: sequela serve [OPTIONS]

Explains scores of sequence models over gRPC and HTTP, until it gets SIGTERM or SIGINT.

Every option can also be set by an environment variable: --max-events is SEQUELA_MAX_EVENTS. Options take precedence.
Times are in seconds and sizes in bytes. A switch such as --uploads is turned off by --no-uploads.
"""

WIDTH = 90
INDENT = " " * 6

_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}

_MESSAGES = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge:.15g}",
    "greater_than": "must be greater than {gt:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
"""The messages of this project by pydantic's error type."""


def read_settings(arguments: Sequence[str]) -> Settings:
    """Returns the settings from options and variables.

    Prints the help and exits with status 0 if it is requested. Exits with status 2, and a line on standard error for
    each mistake, if something is wrong.
    """
    if {"--help", "-h"} & set(arguments):
        print(help_text(), end="")  # noqa: T201  # for a person
        raise SystemExit(0)
    if unknown := unknown_flags(arguments, Settings.model_fields, filter(_is_switch, Settings.model_fields)):
        _exit(f"{each} (sequela serve --help lists all options)" for each in unknown)
    try:
        return CliApp.run(Settings, cli_args=list(arguments), cli_exit_on_error=False)
    except ValidationError as error:
        _exit(map(_complaint, error.errors()))
    except SettingsError as error:  # an option without its value, or something that is not an option
        _exit([str(error).removeprefix("error parsing CLI: ")])


def misspelt_variables(environment: Mapping[str, str]) -> list[UnknownName]:
    """Returns the variables that begin with SEQUELA_ but are not a setting. They have no effect."""
    return unknown_variables(environment, Settings.model_fields)


def options_for_path(settings: Settings, path: str) -> str:
    """Returns the options that name a file or folder, such as `--tls-key`; empty if none does."""
    return " and ".join(
        flag(name) for name, value in settings if isinstance(value, Path) and str(value) == path
    )


def help_text() -> str:
    """Returns what `--help` prints: all options by section, with their defaults."""
    lines = [INTRODUCTION]
    for section, names in _sections().items():
        lines.append(f"{section}:")
        for name in names:
            field = Settings.model_fields[name]
            default = "" if field.default in (None, "") else f" (default: {_default(field)})"
            lines.append(f"  {_synopsis(name, field)}{default}")
            lines.append(
                textwrap.indent(textwrap.fill(str(field.description), WIDTH, break_on_hyphens=False), INDENT)
            )
        lines.append("")
    return "\n".join(lines)


def markdown_tables() -> str:
    """Returns the tables of docs/settings.md."""
    lines: list[str] = []
    for section, names in _sections().items():
        lines += [f"## {section}", "", "| Option | Variable | Default | Meaning |", "|---|---|---|---|"]
        for name in names:
            field = Settings.model_fields[name]
            default = _default(field)
            shown = default if default in ("unset", "on", "off", "empty") else f"`{default}`"
            lines.append(f"| `{flag(name)}` | `{variable(name)}` | {shown} | {field.description} |")
        lines.append("")
    return "\n".join(lines)


def _sections() -> Mapping[str, list[str]]:
    """Returns the names of the settings by section."""
    sections: dict[str, list[str]] = {title: [] for title in SECTIONS.values()}
    for name in Settings.model_fields:
        if name in SECTIONS:
            names = sections[SECTIONS[name]]
        names.append(name)
    return sections


def _synopsis(name: str, field: FieldInfo) -> str:
    if _is_switch(name):
        return f"{flag(name)}, {flag(f'no_{name}')}"
    kind = next(each for each in (*get_args(field.annotation), field.annotation) if each is not type(None))
    if get_origin(field.annotation) is Literal:
        return f"{flag(name)} {'|'.join(get_args(field.annotation))}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"{flag(name)} {'|'.join(each.value for each in kind)}"
    return f"{flag(name)} {_METAVARS[kind]}"


def _is_switch(name: str) -> bool:
    return Settings.model_fields[name].annotation in (bool, bool | None)


def _default(field: FieldInfo) -> str:
    match field.default:
        case None:
            return "unset"
        case "":
            return "empty"
        case bool():
            return "on" if field.default else "off"
        case float():
            return f"{field.default:.15g}"
        case _:
            return str(field.default)


def _complaint(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in _MESSAGES:
        message = _MESSAGES[error["type"]].format(**error.get("ctx", {}))
    if not error["loc"]:  # it is about several settings, and names them
        return message
    name = str(error["loc"][0])
    return f"{flag(name)} ({variable(name)}): {message}, not {_without_passwords(repr(error['input']))}"


def _without_passwords(given: str) -> str:
    """Hides what may be a password in a URL, also in one that lacks its slashes: before `@`, and after `?`."""
    return re.sub(r"(://[^?]*\?)[^']*", r"\1…", re.sub(r":(/*).*@", r":\1…@", given))


def _exit(complaints: Iterable[str]) -> NoReturn:
    for complaint in complaints:
        print(f"sequela serve: {complaint}", file=sys.stderr)  # noqa: T201  # for a person
    raise SystemExit(2)
