"""Request parameters: the options of `sequela.v1.ExplainOptions` by name, `background`, `caller_id` and `dry_run`.

Parameters are booleans, numbers or strings, and in JSON also lists. A list may also be a string with commas, and a
number may be a string. Enum values are written without their prefix, in lower or upper case (`control_variate`).
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from sequela import names
from sequela.api.option_values import checked_options
from sequela.api.violations import MAX_VIOLATIONS, SHOWN_LENGTH, Violations, quote_value, shorten
from sequela.contract.enums import OPTION_TABLES
from sequela.errors import Unsupported
from sequela.explain.limits import Limits
from sequela.explain.options import RULES, Level, OptionRule, Options
from sequela.explain.request import BackgroundChoice, DigestedBackground, NamedBackground, RequestPaths

T = TypeVar("T")

PATHS = RequestPaths(
    background="parameters.background", options="parameters", background_choices="name a stored background"
)
"""The paths of the background and the options in these protocols."""

OTHERS = ("background", "caller_id", "dry_run")
IGNORED = frozenset({"sequence_id", "sequence_start", "sequence_end", "priority", "timeout"})
"""Parameters that Triton's clients add. They are ignored."""
BINARY = ("binary_data_output", "binary_data")
"""Triton's extension for binary tensors."""
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """The decoded parameters of a request.

    Attributes:
        options: How to explain.
        background: The background; None for the model's default.
        caller_id: The caller's own id for what is explained.
        given: The names of the options that the request sets.
        dry_run: Whether the answer is computed even if one is stored already, and is not stored itself.
    """

    options: Options
    background: BackgroundChoice | None
    caller_id: str
    given: frozenset[str]
    dry_run: bool

    @property
    def levels(self) -> frozenset[Level] | None:
        """The requested levels; None if the request does not name any."""
        return frozenset(map(Level, self.options.levels)) if "levels" in self.given else None

    def with_default_targets(self, targets: Sequence[str]) -> Parameters:
        """Returns the parameters with these targets if the request does not name any.

        By default targets are ordered by score, but in an answer for several rows a column must always have the same
        meaning.
        """
        if self.options.targets:
            return self
        return replace(self, options=replace(self.options, targets=tuple(targets)))


def read_parameters(given: Mapping[str, Any], limits: Limits) -> Parameters:
    """Reads parameters.

    Raises InvalidInput with all violations, and Unsupported for answers in binary form.
    """
    _check_form(given)
    violations = Violations()
    for name in sorted(given.keys() - {*RULES, *OTHERS, *IGNORED, *BINARY})[:MAX_VIOLATIONS]:
        violations.add(f"parameters[{quote_value(name)}]", "PARAMETER_UNKNOWN", _unknown(name))
    values = {
        name: _option(rule, given[name], PATHS.option(name), violations)
        for name, rule in RULES.items()
        # An empty list has the same meaning as a missing option.
        if name in given and not (rule.repeated and given[name] == [])
    }
    options = checked_options(_present(values), PATHS.options, violations, limits)
    background = _background(given, violations)
    caller_id = _string(given, "caller_id", violations) or ""
    violations.text(PATHS.option("caller_id"), caller_id, limits.max_text)
    dry_run = _convert(_to_bool, given.get("dry_run", False), PATHS.option("dry_run"), violations)
    violations.raise_any()
    return Parameters(options, background, caller_id, frozenset(values), bool(dry_run))


def _unknown(name: str) -> str:
    """Returns the message for an unknown parameter, with the nearest known name if there is one."""
    known = (*RULES, *OTHERS)
    # A name may be very long, and comparing it would take long too.
    near = difflib.get_close_matches(name[:SHOWN_LENGTH].lower(), known, 1)
    listed = f"parameters are {', '.join(known)}"
    return (
        f"is not a parameter; did you mean {near[0]}? The {listed}"
        if near
        else f"is not a parameter; the {listed}"
    )


def _check_form(given: Mapping[str, Any]) -> None:
    for name in BINARY:
        if given.get(name, False) is not False:
            text = f"parameters.{name} must be false: the binary tensor extension is not supported"
            raise Unsupported("BINARY_TENSORS_UNSUPPORTED", text)


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values without those that could not be read and are violations already."""
    return {name: value for name, value in values.items() if value is not None}


def _background(given: Mapping[str, Any], violations: Violations) -> BackgroundChoice | None:
    name = _string(given, "background", violations)
    if name is None:
        return None
    if names.is_digest(name.lower()):
        return DigestedBackground(name.lower())
    fits, forms = names.is_background_reference, names.BACKGROUND_REFERENCE_FORMS
    return NamedBackground(violations.name(PATHS.background, name, fits, forms))


def _string(given: Mapping[str, Any], name: str, violations: Violations) -> str | None:
    if name not in given:
        return None
    found: str | None = _convert(_to_string, given[name], PATHS.option(name), violations)
    return found


def _option(rule: OptionRule, value: Any, path: str, violations: Violations) -> Any:
    convert = _converter(rule)
    if not rule.repeated:
        return _convert(convert, value, path, violations)
    parts = value if isinstance(value, list) else _parts(value)
    converted = [_convert(convert, part, path, violations) for part in parts]
    return [each for each in converted if each is not None]


def _parts(value: Any) -> list[Any]:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]


def _converter(rule: OptionRule) -> Callable[[Any], Any]:
    if issubclass(rule.kind, Enum):
        return partial(_to_member, OPTION_TABLES[rule.kind].words)
    converters: Mapping[type, Callable[[Any], Any]] = {
        bool: _to_bool,
        int: _to_int,
        float: _to_float,
        str: _to_target,
    }
    return converters[rule.kind]


def _convert(convert: Callable[[Any], Any], value: Any, path: str, violations: Violations) -> Any:
    """Converts a value. Returns None and adds a violation if it cannot be read."""
    try:
        return convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        violations.add(path, "PARAMETER_INVALID", f"{error}, not {_format_value(value)}")
        return None


def _format_value(value: Any) -> str:
    """Formats a value as it was sent: strings in quotes, and all others without."""
    if isinstance(value, str):
        return quote_value(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else shorten(reprlib.repr(value))


def _to_member(words: Mapping[str, Enum], value: Any) -> Enum:
    word = value.lower() if isinstance(value, str) else ""
    if word not in words:
        raise ValueError(f"must be one of {', '.join(words)}")
    return words[word]


def _to_string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a string")
    return value


def _to_target(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("must be the name of an output, or its column number")
    return str(value)


def _to_bool(value: Any) -> bool:
    found = BOOLEANS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise TypeError("must be true or false")
    return found


def _to_float(value: Any) -> float:
    # bool is a subclass of int, but not a number here.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("must be a number")
    return _parse(float, value, "must be a number")


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("must be a whole number")
    return _parse(int, value, "must be a whole number")


def _parse(parse: Callable[[Any], T], value: Any, expected: str) -> T:
    """Parses a number. Raises ValueError with `expected` instead of Python's own message."""
    try:
        return parse(value)
    except (ValueError, OverflowError):
        raise ValueError(expected) from None
