"""Decodes the options of `sequela.v1`. An unset field keeps its default, which is different from sending zero."""

from __future__ import annotations

from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.option_values import checked_options
from sequela.api.violations import Violations
from sequela.contract.enums import OPTION_TABLES
from sequela.explain.limits import Limits
from sequela.explain.options import RULES, Options


def options(message: pb.ExplainOptions, path: str, violations: Violations, limits: Limits) -> Options:
    """Decodes options, and checks that they are in range and do not contradict each other."""
    given = {
        field.name: _value(field.name, value, f"{path}.{field.name}", violations)
        for field, value in message.ListFields()  # lists only the fields that are set
        if field.name in RULES
    }
    return checked_options(given, path, violations, limits)


def _value(name: str, value: Any, path: str, violations: Violations) -> Any:
    """Translates enum numbers to members of the domain's enum, and returns other values unchanged."""
    table = OPTION_TABLES.get(RULES[name].kind)
    if table is None:
        return value
    if RULES[name].repeated:
        return [violations.member(f"{path}[{index}]", each, table) for index, each in enumerate(value)]
    return violations.member(path, value, table)
