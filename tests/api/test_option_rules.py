"""Options are declared once: the contract, both decoders and the encoder follow the declaration."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import Enum
from typing import Any

import pytest
from api.made import explanation
from google.protobuf.descriptor import FieldDescriptor
from sequela.api.grpc.decode.options import options as decoded
from sequela.api.inference.parameters import read_parameters
from sequela.api.option_values import check_targets
from sequela.api.violations import MAX_VIOLATIONS, Violations
from sequela.contract import enums
from sequela.contract.enums import OPTION_TABLES, EnumTable
from sequela.contract.explanations import explanation as encoded
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.options import RULES, Level, OptionRule, Options, ResolvedOptions
from sequela_proto.v1 import sequela_pb2 as pb

LIMITS = Limits()
TYPES = {
    bool: FieldDescriptor.CPPTYPE_BOOL,
    float: FieldDescriptor.CPPTYPE_DOUBLE,
    str: FieldDescriptor.CPPTYPE_STRING,
}
WHOLE = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
TABLES = {name: table for name, table in vars(enums).items() if isinstance(table, EnumTable)}


def test_the_contract_has_every_option_and_no_other() -> None:
    """Of the type that its rule says, one or several; an answer repeats all but the targets, which it names."""
    contract = pb.ExplainOptions.DESCRIPTOR.fields_by_name
    assert set(contract) == set(RULES) == {each.name for each in fields(Options)}
    for name, rule in RULES.items():
        field = contract[name]
        assert field.is_repeated == rule.repeated
        if issubclass(rule.kind, Enum):
            assert field.enum_type is not None
        elif rule.kind is int:
            assert field.cpp_type in WHOLE
        else:
            assert field.cpp_type == TYPES[rule.kind]
    resolved = {each.name for each in fields(ResolvedOptions)}
    assert resolved == set(pb.ResolvedOptions.DESCRIPTOR.fields_by_name) == set(RULES) - {"targets"}


def some_value(rule: OptionRule) -> Any:
    """A value other than the default."""
    if issubclass(rule.kind, Enum):
        last = list(rule.kind)[-1]
        return (last,) if rule.repeated else last
    values: dict[type, Any] = {bool: True, float: 0.5, str: ("b", "7")}
    return -3 if rule.highest and rule.highest(LIMITS) == 0 else values.get(rule.kind, 3)


def as_message(name: str, value: Any) -> pb.ExplainOptions:
    table = OPTION_TABLES.get(RULES[name].kind)
    if table is not None:
        value = [table.number(each) for each in value] if RULES[name].repeated else table.number(value)
    return pb.ExplainOptions(**{name: value})


def as_parameter(value: Any) -> Any:
    if isinstance(value, tuple):
        return [as_parameter(each) for each in value]
    return value.name.lower() if isinstance(value, Enum) else value


@pytest.mark.parametrize("name", RULES)
def test_both_decoders_read_every_option(name: str) -> None:
    """A message and a parameter with the same value give the same options."""
    value = some_value(RULES[name])
    wanted = replace(Options(), **{name: value})
    violations = Violations()
    assert decoded(as_message(name, value), "options", violations, LIMITS) == wanted
    violations.raise_any()
    assert read_parameters({name: as_parameter(value)}, LIMITS).options == wanted
    assert (
        read_parameters({name: str(as_parameter(value)).strip("[]").replace("'", "")}, LIMITS).options
        == wanted
    )


BOUNDED = [name for name, rule in RULES.items() if rule.kind in (int, float)]


@pytest.mark.parametrize("name", BOUNDED)
def test_both_decoders_keep_the_range(name: str) -> None:
    """One past either bound, and for fractions NaN and infinity: the same reason, at the path of each protocol."""
    rule = RULES[name]
    past = [float("nan"), float("inf")] if rule.kind is float else []
    past += [rule.lowest(LIMITS) - 1] if rule.lowest else []
    past += [rule.highest(LIMITS) + 1] if rule.highest else []
    for value in past:
        with pytest.raises(InvalidInput) as caught:
            read_parameters({name: value}, LIMITS)
        assert caught.value.reason == "OPTION_OUT_OF_RANGE"
        assert caught.value.violations[0].field == f"parameters.{name}"
        try:
            message = as_message(name, value)
        except ValueError:  # the contract's own type does not hold it
            continue
        violations = Violations()
        decoded(message, "options", violations, LIMITS)
        with pytest.raises(InvalidInput) as caught:
            violations.raise_any()
        assert caught.value.reason == "OPTION_OUT_OF_RANGE"
        assert caught.value.violations[0].field == f"options.{name}"


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        ({"seed": 10**400}, "OPTION_OUT_OF_RANGE", "must be from 0 to .*, not 1000.*…"),
        ({"seed": f"1{'0' * 400}"}, "OPTION_OUT_OF_RANGE", "must be from 0 to .*, not 1000.*…"),
        ({"output_event": -(10**400)}, "OPTION_OUT_OF_RANGE", "must be from -9999 to 0, not -1000.*…"),
        ({"pruning_tolerance": 10**400}, "PARAMETER_INVALID", "must be a number, not 1000.*0$"),
        ({"seed": "1" * 5000}, "PARAMETER_INVALID", "must be a whole number, not '1+…'$"),
        ({"seed": "many"}, "PARAMETER_INVALID", ": must be a whole number, not 'many'$"),
        ({"pruning_tolerance": "small"}, "PARAMETER_INVALID", ": must be a number, not 'small'$"),
        ({"background": 3}, "PARAMETER_INVALID", ": must be a string, not 3$"),
        ({"refine_history": None}, "PARAMETER_INVALID", ": must be true or false, not null$"),
        ({"targets": True}, "PARAMETER_INVALID", ": must be the name .*, not true$"),
    ],
)
def test_values_that_cannot_be_read(given: dict[str, Any], reason: str, message: str) -> None:
    """However large or odd, they are refused in our own words, which show the value: strings alone in quotes."""
    with pytest.raises(InvalidInput, match=message) as caught:
        read_parameters(given, LIMITS)
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == f"parameters.{next(iter(given))}"


def test_an_unknown_parameter_suggests_the_nearest() -> None:
    """Only if one is near, and in a short time, however many and long the names are."""
    with pytest.raises(
        InvalidInput, match=r"is not a parameter; did you mean max_coalitions\? The parameters are "
    ):
        read_parameters({"max_coalition": 8}, LIMITS)
    with pytest.raises(InvalidInput, match="is not a parameter; the parameters are "):
        read_parameters({"colour": 8}, LIMITS)
    with pytest.raises(InvalidInput) as caught:
        read_parameters({f"{'x' * 10_000}{index}": 1 for index in range(1_000)}, LIMITS)
    assert len(caught.value.violations) == MAX_VIOLATIONS


def test_levels_come_in_their_own_order() -> None:
    """Each once, however they are asked for; none is the default."""
    given = read_parameters({"levels": ["cell", "EVENT", "cell"]}, LIMITS)
    assert given.options.levels == (Level.EVENT, Level.CELL)
    assert given.levels == {Level.EVENT, Level.CELL}
    assert read_parameters({"levels": []}, LIMITS).levels is None
    assert read_parameters({}, LIMITS).options == Options()


def test_targets_may_be_column_numbers() -> None:
    """As numbers of JSON, or as text; a truth value is neither."""
    assert read_parameters({"targets": [0, "b"]}, LIMITS).options.targets == ("0", "b")
    assert read_parameters({"targets": 2}, LIMITS).options.targets == ("2",)
    with pytest.raises(InvalidInput):
        read_parameters({"targets": [True]}, LIMITS)


@pytest.mark.parametrize("name", TABLES)
def test_enums_have_a_number_for_every_member_and_back(name: str) -> None:
    """And the contract has no value that the domain lacks, but the unspecified one."""
    table = TABLES[name]
    member = next(iter(table.members.values()))
    assert {table.number(each): each for each in type(member)} == table.members
    assert table.number(None) == 0
    contract = [
        each
        for each in pb.DESCRIPTOR.enum_types_by_name.values()
        if {value.number for value in each.values} == {0, *table.members}
        and each.values[1].name.endswith(f"_{table.members[each.values[1].number].name}")
    ]
    assert contract


def test_an_answer_repeats_the_options_used() -> None:
    """Field by field; what is None is unset."""
    made = explanation()
    message = encoded(replace(made, options=replace(made.options, minimum_score=None))).options
    assert message.refine_history is made.options.refine_history
    assert list(message.levels) == [1, 2, 3]
    assert not message.HasField("minimum_score")
    assert list(message.pruning_tolerance) == list(made.options.pruning_tolerance)


def test_too_many_targets_name_the_setting() -> None:
    """The caller learns the limit, and which flag of the server sets it."""
    violations = Violations()
    check_targets(["0"] * 3, "targets", violations, Limits(max_targets=2))
    with pytest.raises(InvalidInput, match=r"3 targets exceed the limit of 2 \(--max-targets\); send fewer"):
        violations.raise_any()
