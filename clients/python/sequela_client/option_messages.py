"""Converts options to and from the contract's messages: those of a request, and those that an answer was made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from operator import index
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.enums import member, word
from sequela_client.errors import CallerError
from sequela_client.options import OPTIONS, PER_TARGET, Option, UsedOptions

_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}


def options_message(options: Mapping[str, Any]) -> pb.ExplainOptions:
    """Converts options to a message.

    Raises:
        TypeError: if a keyword is not an option.
        CallerError: OPTION_INVALID, if a value is of the wrong type or is not one of those allowed.
    """
    unknown = options.keys() - OPTIONS.keys()
    if unknown:
        raise TypeError(f"explain has no option {', '.join(map(_with_nearest, sorted(unknown)))}")
    message = pb.ExplainOptions()
    for name, value in options.items():
        if value is not None:
            _set(message, OPTIONS[name], value)
    return message


def _with_nearest(unknown: str) -> str:
    near = get_close_matches(unknown, OPTIONS, n=1)
    return f"{unknown} (did you mean {near[0]}?)" if near else unknown


def target_names(targets: Iterable[str | int] | str | int | None) -> list[str]:
    """Converts output names and column numbers to strings, as the contract has them."""
    if targets is None:
        return []
    one = isinstance(targets, str) or not isinstance(targets, Iterable) or getattr(targets, "ndim", 1) == 0
    items: Any = [targets] if one else targets
    return list(map(_target, items))


def _target(target: Any) -> str:
    if isinstance(target, str):
        return str(target)
    try:
        if not isinstance(target, bool):
            return str(index(target))
    except TypeError:
        pass
    raise CallerError(f"targets: must be names or column numbers, not {target!r}", reason="OPTION_INVALID")


def _set(message: pb.ExplainOptions, option: Option, value: Any) -> None:
    if option.name == "targets":
        message.targets.extend(target_names(value))
    elif option.choices:
        enum = _enum(message, option.name)
        if option.multiple:
            words = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
            getattr(message, option.name).extend(member(enum, option.name, each) for each in words)
        else:
            setattr(message, option.name, member(enum, option.name, value))
    else:
        try:
            setattr(message, option.name, value)
        except (TypeError, ValueError) as error:
            field = message.DESCRIPTOR.fields_by_name[option.name]
            text = f"{option.name}: {_problem(option, field, value)}"
            raise CallerError(text, reason="OPTION_INVALID") from error


def _problem(option: Option, field: FieldDescriptor, value: Any) -> str:
    kind = {bool: "True or False", int: "a whole number", float: "a number"}[option.kind]
    # protobuf raises for a type before it looks at the range.
    if isinstance(value, int) and not isinstance(value, bool):
        least, most = _BOUNDS[field.cpp_type]
        return f"must be from {least} to {most}, not {value}"
    return f"must be {kind}, not {value!r:.40} of type {type(value).__name__}"


def used_options(message: pb.ResolvedOptions) -> UsedOptions:
    """Returns the options of an answer, from its message."""
    return UsedOptions(
        **{
            field.name: _used(message, PER_TARGET.get(field.name, field.name))
            for field in fields(UsedOptions)
        }
    )


def _used(message: pb.ResolvedOptions, name: str) -> Any:
    """Returns the value of a field: enums as words, unset fields as None, repeated fields as tuples."""
    field, value = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    repeated = not isinstance(value, bool | int | float | str)
    if field.enum_type is not None:
        enum = _enum(message, name)
        return tuple(word(enum, each) for each in value) if repeated else word(enum, value)
    if repeated:
        return tuple(value)
    if field.has_presence and not message.HasField(name):  # type: ignore[arg-type]
        return None
    return value


def _enum(message: Any, name: str) -> Any:
    """Returns the enum that a field holds."""
    return getattr(pb, message.DESCRIPTOR.fields_by_name[name].enum_type.name)
