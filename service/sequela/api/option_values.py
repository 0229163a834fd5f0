"""Checks the values of options by their rules and creates `Options` from them, for all protocols."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from sequela.api.violations import Violations, shorten
from sequela.explain.limits import Limits
from sequela.explain.options import RULES, OptionRule, Options


def checked_options(given: Mapping[str, Any], path: str, violations: Violations, limits: Limits) -> Options:
    """Returns the requested options, and adds any violations.

    `given` has the values by option name, with a sequence for a repeated option. Missing options keep their default.
    `path` is the path of all options in the request, such as `options`.
    """
    used = {name: _check(RULES[name], name, value, path, violations, limits) for name, value in given.items()}
    _check_conflict(given, path, violations)
    return Options(**used)


def check_targets(names: Any, path: str, violations: Violations, limits: Limits) -> tuple[str, ...]:
    """Returns the targets of a request that has no other options, and adds any violations."""
    checked: tuple[str, ...] = _check_repeated(RULES["targets"], "targets", names, path, violations, limits)
    return checked


def check_output_event(event: int, path: str, violations: Violations, limits: Limits) -> int:
    """Returns the output event of a request that has no other options, and adds any violations."""
    checked: int = _number(RULES["output_event"], event, path, violations, limits)
    return checked


def _check(rule: OptionRule, name: str, value: Any, path: str, violations: Violations, limits: Limits) -> Any:
    here = f"{path}.{name}"
    if rule.repeated:
        return _check_repeated(rule, name, value, here, violations, limits)
    return _number(rule, value, here, violations, limits) if rule.kind in (int, float) else value


def _check_repeated(
    rule: OptionRule, name: str, values: Any, path: str, violations: Violations, limits: Limits
) -> Any:
    """Checks a repeated option. Enum members are returned in the order of the enum, without duplicates."""
    most = rule.highest(limits) if rule.highest else len(values)
    if len(values) > most:
        source = f" ({rule.setting})" if rule.setting else ""
        text = f"{len(values)} {name} exceed the limit of {most}{source}; send fewer"
        violations.add(path, f"TOO_MANY_{name.upper()}", text)
        return ()
    if issubclass(rule.kind, Enum):
        return tuple(each for each in rule.kind if each in values)
    return tuple(
        violations.text(f"{path}[{index}]", each, limits.max_text) for index, each in enumerate(values)
    )


def _number(rule: OptionRule, value: Any, path: str, violations: Violations, limits: Limits) -> Any:
    lowest = rule.lowest(limits) if rule.lowest else -math.inf
    highest = rule.highest(limits) if rule.highest else math.inf
    # A whole number may be too large to become a float, which is what `isfinite` would make of it.
    finite = rule.kind is int or math.isfinite(value)
    if not (finite and lowest <= value <= highest):
        text = f"must be {_range(rule, lowest, highest)}, not {shorten(str(value))}"
        violations.add(path, "OPTION_OUT_OF_RANGE", text)
    return value


def _range(rule: OptionRule, lowest: float, highest: float) -> str:
    if highest < math.inf:
        return f"from {lowest} to {highest}"
    finite = "a finite number" if rule.kind is float else "a whole number"
    return finite if lowest == -math.inf else f"{finite} of at least {lowest}"


def _check_conflict(given: Mapping[str, Any], path: str, violations: Violations) -> None:
    ranks = [name for name in ("top_k_events", "top_k_features") if name in given]
    if ranks and "cell_threshold" in given:
        text = f"cannot be combined with {' and '.join(ranks)}; cells are selected either by a threshold or by rank"
        violations.add(f"{path}.cell_threshold", "OPTIONS_CONFLICT", text)
