"""Options of `sequela.v1`. What is unset keeps its default: unset is never zero."""

from __future__ import annotations

from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.enums import OPTION_TABLES
from sequela.api.option_values import checked_options
from sequela.api.violations import Violations
from sequela.explain.limits import Limits
from sequela.explain.options import RULES, Options


def options(message: pb.ExplainOptions, path: str, violations: Violations, limits: Limits) -> Options:
    """The options asked for, each within its range and none against another."""
    given = {
        field.name: _value(field.name, value, f"{path}.{field.name}", violations)
        for field, value in message.ListFields()  # those that are set
        if field.name in RULES
    }
    return checked_options(given, path, violations, limits)


def _value(name: str, value: Any, path: str, violations: Violations) -> Any:
    """Enums as members of the domain's enum; everything else as it is."""
    table = OPTION_TABLES.get(RULES[name].kind)
    if table is None:
        return value
    if RULES[name].repeated:
        return [violations.member(f"{path}[{index}]", each, table) for index, each in enumerate(value)]
    return violations.member(path, value, table)
