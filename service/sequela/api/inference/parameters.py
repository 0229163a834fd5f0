"""Request parameters, by the names of `sequela.v1.ExplainOptions`, beside `background` and `caller_id`.

Protocols hand over booleans, numbers and texts, JSON also lists: a list may as well be one text with commas, a number
may be a text, and an enum's value is written without its prefix in either case (`control_variate`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.decode.options import options
from sequela.api.grpc.decode.violations import Violations, shown
from sequela.api.inference.error_paths import of_parameters, retelling
from sequela.errors import Unsupported
from sequela.explain.limits import Limits
from sequela.explain.request import Level, Options
from sequela.names import is_digest

OPTIONS: Mapping[str, FieldDescriptor] = pb.ExplainOptions.DESCRIPTOR.fields_by_name
OTHERS = ("background", "caller_id")
IGNORED = frozenset({"sequence_id", "sequence_start", "sequence_end", "priority", "timeout"})
"""What Triton's clients may send of their own, of no meaning here; nor is a form of answer that was not asked for."""
BINARY = ("binary_data_output", "binary_data")
TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """How to explain, as it was said and as it was understood; against which background (None: the model's own), and
    for whom.
    """

    said: pb.ExplainOptions
    options: Options
    background: pb.BackgroundReference | None
    caller_id: str

    @property
    def levels(self) -> frozenset[Level] | None:
        """The levels asked for; None where none is named."""
        return frozenset(self.options.levels) if self.said.levels else None

    def for_outputs(self, names: Sequence[str]) -> Parameters:
        """With these targets where none was named: columns of several rows must mean the same, in a known order."""
        if self.said.targets:
            return self
        said = pb.ExplainOptions()
        said.CopyFrom(self.said)
        said.targets.extend(names)
        return replace(self, said=said, options=replace(self.options, targets=tuple(names)))


def parameters(given: Mapping[str, Any], limits: Limits) -> Parameters:
    """Reads parameters. Raises InvalidInput with all that is wrong, where what nobody knows is named beside what there
    is; Unsupported for answers in binary form.
    """
    _check_form(given)
    found, said = Violations(), pb.ExplainOptions()
    for name in sorted(given.keys() - {*OTHERS, *IGNORED, *BINARY}):
        path = f"parameters.{name}"
        if name in OPTIONS:
            _set(said, OPTIONS[name], given[name], path, found)
        else:
            text = f"is not a parameter; there are {', '.join((*OPTIONS, *OTHERS))}"
            found.add(f"parameters[{shown(name)}]", "PARAMETER_UNKNOWN", text)
    others = {
        name: _checked(_text, given[name], f"parameters.{name}", found) for name in OTHERS if name in given
    }
    with retelling(of_parameters):
        understood = options(said, "options", found, limits)
        found.raise_any()
    return Parameters(said, understood, _background(others.get("background")), others.get("caller_id") or "")


def _check_form(given: Mapping[str, Any]) -> None:
    """Of Triton's extension for binary tensors only what says that it is not wanted."""
    for name in BINARY:
        if given.get(name, False) is not False:
            text = f"parameters.{name} must be false: tensors leave in the protocol's own form only"
            raise Unsupported("BINARY_TENSORS_UNSUPPORTED", text)


def _background(name: str | None) -> pb.BackgroundReference | None:
    if name is None:
        return None
    if is_digest(name.lower()):
        return pb.BackgroundReference(digest=name)
    return pb.BackgroundReference(name=name)


def _set(said: pb.ExplainOptions, field: FieldDescriptor, value: Any, path: str, found: Violations) -> None:
    read = _reader(field)
    if field.is_repeated:
        parts = value if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
        values = [_checked(read, part, path, found) for part in parts]
        getattr(said, field.name).extend(each for each in values if each is not None)
        return
    single = _checked(read, value, path, found)
    if single is not None:
        _checked(lambda fits: setattr(said, field.name, fits), single, path, found)


def _reader(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.enum_type is not None:
        return _Choice(field.enum_type)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _text
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _truth
    return _number if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else _whole


def _checked(read: Callable[[Any], Any], value: Any, path: str, found: Violations) -> Any:
    """What is read of a value; None after noting that it cannot be."""
    try:
        return read(value)
    except (ValueError, TypeError, OverflowError) as error:
        found.add(path, "PARAMETER_INVALID", f"{shown(str(value))}: {error}")
        return None


@dataclass(frozen=True, slots=True)
class _Choice:
    """Reads the value of an enum."""

    kind: EnumDescriptor

    def __call__(self, value: Any) -> int:
        prefix = self.kind.values[0].name.removesuffix("UNSPECIFIED")
        choices = {each.name.removeprefix(prefix).lower(): each.number for each in self.kind.values[1:]}
        if str(value).lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return choices[str(value).lower()]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a string")
    return value


def _truth(value: Any) -> bool:
    read = TRUTH.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(read, bool):
        raise TypeError("must be true or false")
    return read


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("must be a number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("must be a whole number")
    return int(value)
