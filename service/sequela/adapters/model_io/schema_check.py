"""Checks a schema against a signature and within itself; everything wrong is said at once, each with its place in
the schema.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sequela.adapters.model_io.arrangement import SERVER_AXES
from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.errors import InvalidInput, Violation
from sequela.explain.limits import Limits
from sequela.explain.schema import (
    Axis,
    Dtype,
    FeatureKind,
    FeatureSchema,
    InputSchema,
    ModelSchema,
    Role,
    TargetSchema,
)

REASON = "SCHEMA_DOES_NOT_FIT"
MAX_PROBLEMS = 10
RANKS = {Role.EVENTS: (2, 3), Role.STATIC: (1, 2), Role.MASK: (2,), Role.LENGTH: (1, 2)}
MEANING = {
    Role.EVENTS: "(batch, events, columns) or (batch, events)",
    Role.STATIC: "(batch, columns) or (batch)",
    Role.MASK: "(batch, events)",
    Role.LENGTH: "(batch) or (batch, 1)",
}


def check_entries(inputs: Sequence[InputSchema], signature: Signature, path: str) -> None:
    """Each input of the model has one entry, whose axes and shape can be those of the model's. Raises InvalidInput
    (SCHEMA_DOES_NOT_FIT), which names each input at fault and why.
    """
    _refuse(_entry_problems(inputs, signature), path)


def check_inputs(inputs: Sequence[InputSchema], arrange: Signature, limits: Limits, path: str) -> None:
    """`arranged` is the model's signature in the server's order of axes. Raises InvalidInput: SCHEMA_DOES_NOT_FIT,
    which names each input at fault and why; MODEL_TOO_LARGE.
    """
    _refuse(_input_problems(inputs, arrange), path)
    columns = sum(item.width for item in inputs if item.role is not Role.STATE)
    if columns > limits.max_columns:
        text = f"its inputs have {columns} columns, the limit is {limits.max_columns}"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)


def check_features(schema: ModelSchema, path: str) -> None:
    """Every column belongs to one feature. Raises InvalidInput (SCHEMA_DOES_NOT_FIT)."""
    _refuse((*_feature_problems(schema), *_cover_problems(schema)), path)


def check_targets(targets: Sequence[TargetSchema], outputs: int, path: str) -> None:
    """One target for each output. Raises InvalidInput (SCHEMA_DOES_NOT_FIT)."""
    problems = [f"targets: {name!r} is there twice" for name in _repeated(item.name for item in targets)]
    problems += [f"targets[{index}].name: empty" for index, item in enumerate(targets) if not item.name]
    if len(targets) != outputs:
        problems.append(f"targets: {len(targets)} for {outputs} outputs of the model")
    _refuse(problems, path)


def _refuse(problems: Iterable[str], path: str) -> None:
    violations = [Violation(path, problem) for problem in problems]
    if violations:
        text = "; ".join(item.description for item in violations[:MAX_PROBLEMS])
        raise InvalidInput(REASON, f"{path}: {text}", violations=violations[:MAX_PROBLEMS])


def _entry_problems(inputs: Sequence[InputSchema], signature: Signature) -> Iterator[str]:
    seen = {item.name: item for item in signature.inputs}
    named = {item.name for item in inputs}
    for name in _repeated(item.name for item in inputs):
        yield f"inputs: {name!r} is there twice"
    for missing in (item for item in signature.inputs if item.name not in named):
        yield f"inputs: the model's input {missing.name!r} {missing.description} is missing"
    if not any(item.role is Role.EVENTS for item in inputs):
        yield "inputs: none has the role events"
    for index, item in enumerate(inputs):
        place = f"inputs[{index}] {item.name!r}"
        if item.name not in seen:
            yield f"{place}: not an input of the model, which takes {', '.join(seen)}"
        else:
            yield from (f"{place}: {problem}" for problem in _arrangement_problems(item, seen[item.name]))


def _arrangement_problems(item: InputSchema, seen: InputSignature) -> Iterator[str]:
    usual = SERVER_AXES.get(item.role, ())
    if (item.axes and not set(item.axes) <= set(usual)) or len(set(item.axes)) < len(item.axes):
        each = ", ".join(word.value for word in usual) or "none"
        said = ", ".join(word.value for word in item.axes)
        yield f"axes: {said}; an input of the role {item.role.value} has {each}, each once, in the model's order"
    elif item.axes and item.role is Role.EVENTS and Axis.TIME not in item.axes:
        yield "axes: time is missing, which events lie along"
    elif item.axes and len(item.axes) != seen.rank and not item.shape:
        yield f"axes: {len(item.axes)} of them, the model takes {seen.description}"
    outer = 2 if item.role is Role.EVENTS else 1
    if item.shape:
        yield from _shape_problems(item, seen)
    elif item.role in MEANING and seen.rank > outer + 1:
        behind = "batch and time" if outer == 2 else "the batch"
        yield (
            f"role is {item.role.value}, that is {MEANING[item.role]}; the model takes {seen.description}; "
            "with more axes "
            f'say the sizes of those behind {behind}, for example "shape": [4, 2]'
        )
    if item.allow_nan and item.dtype not in (Dtype.FLOAT32, Dtype.FLOAT64):
        yield f"allow_nan: {item.dtype.value} holds no NaN"


def _shape_problems(item: InputSchema, seen: InputSignature) -> Iterator[str]:
    if item.role not in (Role.EVENTS, Role.STATIC, Role.STATE):
        yield f"shape: an input of the role {item.role.value} has none"
        return
    outer = 2 if item.role is Role.EVENTS else 1
    shown = list(item.shape)
    if min(item.shape) < 1:
        yield f"shape: {shown}, every size must be at least 1"
    elif seen.rank != outer + len(item.shape):
        behind = "batch and time" if outer == 2 else "the batch"
        yield f"shape: {shown} are {len(item.shape)} axes behind {behind}; the model takes {seen.description}"
    elif item.role is not Role.STATE and item.width != math.prod(item.shape):
        yield f"width is {item.width}, the shape {shown} makes {math.prod(item.shape)}"


def _input_problems(inputs: Sequence[InputSchema], arrange: Signature) -> Iterator[str]:
    seen = {item.name: item for item in arrange.inputs}
    for index, item in enumerate(inputs):
        yield from (
            f"inputs[{index}] {item.name!r}: {problem}"
            for problem in _problems_against(item, seen[item.name])
        )


def _problems_against(item: InputSchema, seen: InputSignature) -> Iterator[str]:
    if item.dtype is not seen.dtype:
        yield f"dtype is {item.dtype.value}, the model takes {seen.dtype.value}"
    if item.role is Role.STATE:
        return
    if seen.rank not in RANKS[item.role]:
        yield f"role is {item.role.value}, that is {MEANING[item.role]}; the model takes {seen.description}"
        return
    if item.width < 1:
        yield f"width is {item.width}, must be at least 1"
    elif _columns(item, seen) not in (None, item.width):
        yield f'width is {item.width}, the model takes {seen.description}: say "width": {_columns(item, seen)}'


def _columns(item: InputSchema, seen: InputSignature) -> int | None:
    """How many columns the signature wants, where it says so."""
    if seen.rank == 3 or (seen.rank == 2 and item.role in (Role.STATIC, Role.LENGTH)):
        columns = seen.axes[-1]
        return columns if isinstance(columns, int) else None
    return 1


def _feature_problems(schema: ModelSchema) -> Iterator[str]:
    inputs = {item.name: item for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC)}
    for name in _repeated(feature.name for feature in schema.features):
        yield f"features: {name!r} is there twice"
    for index, feature in enumerate(schema.features):
        place = f"features[{index}] {feature.name!r}"
        unknown = [name for name in feature.columns if name not in inputs]
        for name in unknown:
            yield f"{place}: {name!r} is not an input that carries values"
        if not unknown:
            known = {name: inputs[name] for name in feature.columns}
            yield from (f"{place}: {problem}" for problem in _problems_within(feature, known))


def _problems_within(feature: FeatureSchema, inputs: dict[str, InputSchema]) -> Iterator[str]:
    count = sum(len(columns) for columns in feature.columns.values())
    if not feature.name:
        yield "its name is empty"
    if not count:
        yield "has no columns"
    if len(inputs) > 1 and any(item.role is Role.STATIC for item in inputs.values()):
        yield "lies in a static input and in another one"
    for name, columns in feature.columns.items():
        for column in columns:
            if not 0 <= column < inputs[name].width:
                yield f"column {column} of {name!r}, which has columns 0 to {inputs[name].width - 1}"
    if feature.kind in (FeatureKind.NUMERIC, FeatureKind.CATEGORICAL) and count > 1:
        yield f"kind is {feature.kind.value}, which is one column, not {count}; use group or one_hot"
    if feature.kind is FeatureKind.ONE_HOT and len(feature.categories) not in (0, count):
        yield f"{len(feature.categories)} categories for {count} columns"
    if feature.display.scale == 0:
        yield "display.scale is 0"


def _cover_problems(schema: ModelSchema) -> Iterator[str]:
    owners = Counter(
        (name, c) for feature in schema.features for name, columns in feature.columns.items() for c in columns
    )
    for item in schema.inputs:
        if item.role not in (Role.EVENTS, Role.STATIC):
            continue
        for column in range(item.width):
            count = owners[item.name, column]
            if count != 1:
                yield f"features: column {column} of input {item.name!r} is in {count} features, not one"
        of_it = [feature.name for feature in schema.features if item.name in feature.columns]
        if item.role is Role.STATIC and len(of_it) > 1:
            shown = ", ".join(of_it)
            yield f"features: static input {item.name!r} is one player, so one feature, not {shown}"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
