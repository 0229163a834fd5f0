"""Checks a schema against a model's signature and against itself.

All problems are reported at once, each with its place in the schema (`inputs[0] 'x': …`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sequela.adapters.model_io.arrangement import SERVER_AXES
from sequela.adapters.model_io.reason_check import reason_problems
from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.errors import InvalidInput, Violation
from sequela.explain.limits import Limits
from sequela.explain.schema import (
    Axis,
    FeatureKind,
    FeatureSchema,
    InputSchema,
    ModelSchema,
    Role,
    TargetSchema,
)

REASON = "SCHEMA_DOES_NOT_FIT"
MAX_PROBLEMS = 10
"""The most problems that one error lists."""
MAX_DECIMALS = 30
"""The most digits after the decimal point that a schema may ask for. A 64-bit float has 17 significant ones."""
RANKS = {Role.EVENTS: (2, 3), Role.STATIC: (1, 2), Role.MASK: (2,), Role.LENGTH: (1, 2)}
ROLE_AXES = {
    Role.EVENTS: "(batch, events, columns) or (batch, events)",
    Role.STATIC: "(batch, columns) or (batch)",
    Role.MASK: "(batch, events)",
    Role.LENGTH: "(batch) or (batch, 1)",
}


def check_entries(inputs: Sequence[InputSchema], signature: Signature, path: str) -> None:
    """Checks that each input of the model has one entry, whose axes and shape agree with the model's.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT.
    """
    _refuse(_entry_problems(inputs, signature), path)


def check_inputs(
    inputs: Sequence[InputSchema], server_signature: Signature, limits: Limits, path: str
) -> None:
    """Checks that role, element type and width of each input agree with the model's.

    Args:
        inputs: The schema's inputs.
        server_signature: The model's signature in the server's order of axes.
        limits: The server's limit on columns.
        path: The path of the schema in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT; MODEL_TOO_LARGE for more columns than the limit.
    """
    _refuse(_input_problems(inputs, server_signature), path)
    columns = sum(item.width for item in inputs if item.role is not Role.STATE)
    if columns > limits.max_columns:
        text = f"the model's inputs have {columns} columns, but the limit is {limits.max_columns} (--max-columns)"
        raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)


def check_features(schema: ModelSchema, path: str) -> None:
    """Checks that every column belongs to exactly one feature, and that reason templates name features.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT.
    """
    _refuse((*_feature_problems(schema), *_cover_problems(schema), *reason_problems(schema)), path)


def check_targets(targets: Sequence[TargetSchema], outputs: int, path: str) -> None:
    """Checks that there is one named target for each output. Raises InvalidInput (SCHEMA_DOES_NOT_FIT)."""
    problems = [f"targets: {name!r} is listed twice" for name in _repeated(item.name for item in targets)]
    problems += [f"targets[{index}].name: is empty" for index, item in enumerate(targets) if not item.name]
    if len(targets) != outputs:
        problems.append(f"targets: has {len(targets)} entries, but the model has {outputs} outputs")
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
        yield f"inputs: {name!r} is listed twice"
    for missing in (item for item in signature.inputs if item.name not in named):
        yield f"inputs: the model's input {missing.name!r} {missing.description} is missing"
    if not any(item.role is Role.EVENTS for item in inputs):
        yield "inputs: none has the role events, but at least one must have it"
    for index, item in enumerate(inputs):
        place = f"inputs[{index}] {item.name!r}"
        if item.name not in seen:
            yield f"{place}: is not an input of the model, which takes {', '.join(seen)}"
        else:
            yield from (f"{place}: {problem}" for problem in _arrangement_problems(item, seen[item.name]))


def _arrangement_problems(item: InputSchema, seen: InputSignature) -> Iterator[str]:
    usual = SERVER_AXES.get(item.role, ())
    if (item.axes and not set(item.axes) <= set(usual)) or len(set(item.axes)) < len(item.axes):
        each = ", ".join(axis.value for axis in usual) or "none"
        said = ", ".join(axis.value for axis in item.axes)
        yield (
            f"axes: must not be {said}; an input with the role {item.role.value} may have {each}, each once, in the "
            "model's order"
        )
    elif item.axes and item.role is Role.EVENTS and Axis.TIME not in item.axes:
        yield "axes: time is missing, the axis that counts events"
    elif item.axes and len(item.axes) != seen.rank and not item.shape:
        yield f"axes: there are {len(item.axes)}, but the model takes {seen.description}"
    outer = 2 if item.role is Role.EVENTS else 1
    if item.shape:
        yield from _shape_problems(item, seen)
    elif item.role in ROLE_AXES and seen.rank > outer + 1:
        behind = "batch and time" if outer == 2 else "the batch"
        yield (
            f"role is {item.role.value}, so axes are {ROLE_AXES[item.role]}, but the model takes {seen.description}; "
            f'if it has several axes of columns, give the sizes of those behind {behind}, for example "shape": [4, 2]'
        )
    if item.allow_nan and not item.dtype.is_float:
        yield f"allow_nan: is true, but {item.dtype.value} holds no NaN"


def _shape_problems(item: InputSchema, seen: InputSignature) -> Iterator[str]:
    if item.role not in (Role.EVENTS, Role.STATIC, Role.STATE):
        yield f"shape: must be left out for an input with the role {item.role.value}"
        return
    outer = 2 if item.role is Role.EVENTS else 1
    shown = list(item.shape)
    if min(item.shape) < 1:
        yield f"shape: is {shown}, but every size must be at least 1"
    elif seen.rank != outer + len(item.shape):
        behind = "batch and time" if outer == 2 else "the batch"
        yield f"shape: {shown} has {len(item.shape)} axes behind {behind}, but the model takes {seen.description}"
    elif item.role is not Role.STATE and item.width != math.prod(item.shape):
        yield f"width is {item.width}, but the shape {shown} has {math.prod(item.shape)} columns"


def _input_problems(inputs: Sequence[InputSchema], server_signature: Signature) -> Iterator[str]:
    seen = {item.name: item for item in server_signature.inputs}
    for index, item in enumerate(inputs):
        yield from (
            f"inputs[{index}] {item.name!r}: {problem}"
            for problem in _problems_against(item, seen[item.name])
        )


def _problems_against(item: InputSchema, seen: InputSignature) -> Iterator[str]:
    if item.dtype is not seen.dtype:
        yield f"dtype is {item.dtype.value}, but the model takes {seen.dtype.value}"
    if item.role is Role.STATE:
        return
    if seen.rank not in RANKS[item.role]:
        yield f"role is {item.role.value}, so axes are {ROLE_AXES[item.role]}, but the model takes {seen.description}"
        return
    if item.width < 1:
        yield f"width is {item.width}, but must be at least 1"
    elif _columns(item, seen) not in (None, item.width):
        yield f'width is {item.width}, but the model takes {seen.description}: set "width": {_columns(item, seen)}'


def _columns(item: InputSchema, seen: InputSignature) -> int | None:
    """Returns the number of columns of an input in the server's order, or None if it is free."""
    if seen.rank == 3 or (seen.rank == 2 and item.role in (Role.STATIC, Role.LENGTH)):
        columns = seen.axes[-1]
        return columns if isinstance(columns, int) else None
    return 1


def _feature_problems(schema: ModelSchema) -> Iterator[str]:
    inputs = {item.name: item for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC)}
    for name in _repeated(feature.name for feature in schema.features):
        yield f"features: {name!r} is listed twice"
    for index, feature in enumerate(schema.features):
        place = f"features[{index}] {feature.name!r}"
        unknown = [name for name in feature.columns if name not in inputs]
        for name in unknown:
            yield f"{place}: {name!r} is not an event input or a static input"
        if not unknown:
            known = {name: inputs[name] for name in feature.columns}
            yield from (f"{place}: {problem}" for problem in _problems_within(feature, known))


def _problems_within(feature: FeatureSchema, inputs: dict[str, InputSchema]) -> Iterator[str]:
    count = sum(len(columns) for columns in feature.columns.values())
    if not feature.name:
        yield "its name is empty"
    if not count:
        yield "it has no columns"
    if len(inputs) > 1 and any(item.role is Role.STATIC for item in inputs.values()):
        yield "its columns are in a static input and in another one; make a feature for each"
    for name, columns in feature.columns.items():
        for column in columns:
            if not 0 <= column < inputs[name].width:
                yield f"column {column} of {name!r} does not exist; its columns are 0 to {inputs[name].width - 1}"
    if feature.kind in (FeatureKind.NUMERIC, FeatureKind.CATEGORICAL) and count > 1:
        yield f"kind is {feature.kind.value}, which has one column, not {count}; use group or one_hot"
    if feature.kind is FeatureKind.ONE_HOT and len(feature.categories) not in (0, count):
        yield f"has {len(feature.categories)} categories for {count} columns, but needs one for each"
    if feature.display.scale == 0:
        yield "display.scale is 0, but must be another number"
    if not 0 <= feature.display.decimals <= MAX_DECIMALS:
        yield f"display.decimals is {feature.display.decimals}, but must be from 0 to {MAX_DECIMALS}"


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
                yield f"features: column {column} of input {item.name!r} is in {count} features, but must be in one"
        of_it = [feature.name for feature in schema.features if item.name in feature.columns]
        if item.role is Role.STATIC and len(of_it) > 1:
            shown = ", ".join(of_it)
            yield f"features: static input {item.name!r} is one player, so it is one feature, not several: {shown}"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
