"""Makes flags of the options of an explanation, and replaces the options in texts by their flags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from sequela_client.cli.grouped_help import Command, Decorator, added, option
from sequela_client.options import OPTIONS, Option

HEADING = "How to explain (options that are left out take the server's defaults)"

# Options with several values. Their flags are given once for each value.
_SINGULAR = {"levels": "--level", "targets": "--target"}
# Arguments of the Python client that are not options, and their flags.
_ARGUMENTS = {
    "sequence": "--sequence",
    "background": "--background",
    "model": "--model",
    "model.version": "--model",
    "caller_id": "--caller-id",
    "labels": "--label",
    "timeout": "--timeout",
}
_KINDS: Mapping[type, click.ParamType[Any]] = {int: click.INT, float: click.FLOAT, str: click.STRING}


def flag_of(name: str) -> str:
    """Returns an option's flag: `--seed` of `seed`."""
    return _SINGULAR.get(name, f"--{name.replace('_', '-')}")


_FLAGS = {**_ARGUMENTS, **{name: flag_of(name) for name in OPTIONS}}
_LONGEST_FIRST = "|".join(sorted(map(re.escape, _FLAGS), key=len, reverse=True))
# A message, or one of its parts, begins with the argument at fault.
_AT_FAULT = re.compile(rf"(?P<before>^|; )(?P<name>{_LONGEST_FIRST})(?:\[\d+\])?(?=[:\[.])")
# Names with an underscore are always options; other names are replaced only if they are used like an option.
_IN_TEXT = re.compile(
    "|".join(
        [
            *(rf"(?<![\w.'-]){name}(?![\w'])" for name in OPTIONS if "_" in name),
            *(rf"(?<=\bwith ){name}\b" for name in OPTIONS if "_" not in name),
        ]
    )
)

# The keywords of Python that a message gives beside the flags.
_IN_PYTHON = re.compile(
    r" \((?:[a-z_]+=(?:True)?(?:, | and | or )?)+(?: in Python)?\)|, or [a-z_]+= in Python\b"
)
# The beginning of a digest is enough to recognise it.
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def with_flags(text: str) -> str:
    """Replaces the options in a text by their flags."""
    return _IN_TEXT.sub(lambda found: flag_of(found[0]), text)


def error_with_flags(text: str) -> str:
    """Replaces the arguments and options in the text of an error by their flags, and shortens digests.

    Keywords of Python that the text gives beside the flags are left out.
    """
    named = _AT_FAULT.sub(lambda found: found["before"] + _FLAGS[found["name"]], text)
    return with_flags(_DIGEST.sub(r"\1…", _IN_PYTHON.sub("", named)))


def explain_options(command: Command) -> Command:
    """Adds a flag for every option that is declared in `options.Options`."""
    return added(command, [_flag(each) for each in OPTIONS.values()])


def explain_options_without(names: Iterable[str]) -> Decorator:
    """A decorator that adds a flag for every option but these, for which a command has flags of its own."""
    left = [_flag(each) for name, each in OPTIONS.items() if name not in names]
    return lambda command: added(command, left)


def given_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that were given, by their keywords."""
    return {name: values[name] for name in OPTIONS if values.get(name) not in (None, ())}


def _flag(declared: Option) -> Decorator:
    repeated = " Repeatable." if declared.multiple else ""
    text = f"{with_flags(declared.about.help)}{repeated} [default: {with_flags(declared.about.default)}]"
    if declared.kind is bool:
        return option(HEADING, flag_of(declared.name), declared.name, is_flag=True, default=None, help=text)
    kind = click.Choice(_words(declared.choices)) if declared.choices else _KINDS[declared.kind]
    metavar = None if declared.choices else {int: "N", float: "X", str: "NAME"}[declared.kind]
    return option(
        HEADING,
        flag_of(declared.name),
        declared.name,
        type=kind,
        multiple=declared.multiple,
        metavar=metavar,
        help=text,
    )


def _words(choices: Iterable[str]) -> list[str]:
    return list(choices)
