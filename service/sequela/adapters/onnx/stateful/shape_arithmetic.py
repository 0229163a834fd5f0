"""Labels for arithmetic on the number of events that does not involve the values of any event.

Numbers that stay affine in the length are known for every length, and so are those that do not depend on it at all.
Everything else is LengthDependent, even where it was the same at every length observed: min(l, 64) is l until there are
65 events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sequela.adapters.onnx.stateful.affine import AffineArray, Array
from sequela.adapters.onnx.stateful.node_context import NodeContext, length_axis
from sequela.adapters.onnx.stateful.time_dependence import (
    AffineInLength,
    Constant,
    LastEvent,
    LengthDependent,
    PerEvent,
    TimeDependence,
)

SHAPE_OPERATORS = ("Shape", "Size")
COMPARISONS: Mapping[str, Callable[[AffineArray], Array]] = {
    **dict.fromkeys(("Less", "GreaterOrEqual"), AffineArray.negativity_is_fixed),
    **dict.fromkeys(("Greater", "LessOrEqual"), AffineArray.positivity_is_fixed),
    "Equal": lambda difference: difference.negativity_is_fixed() & difference.positivity_is_fixed(),
}
EXTREMES: Mapping[str, Callable[[AffineArray], Array]] = dict.fromkeys(
    ("Max", "Min"), lambda difference: difference.negativity_is_fixed() | difference.positivity_is_fixed()
)
"""Both tables decide, from the difference of the two inputs, whether the outcome is the same at every length."""
FIRST_OPERAND, BRANCH_OPERANDS, ALL_OPERANDS = range(1), range(1, 3), range(2**31)
AFFINE_OPERANDS: Mapping[str, range] = {
    **dict.fromkeys(
        ("Identity", "Cast", "CastLike", "Squeeze", "Unsqueeze", "Reshape", "Flatten"), FIRST_OPERAND
    ),
    **dict.fromkeys(
        ("Transpose", "Slice", "Gather", "Split", "Expand", "Tile", "Neg", "ReduceSum"), FIRST_OPERAND
    ),
    **dict.fromkeys(("Concat", "Add", "Sub", "Sum"), ALL_OPERANDS),
    # A product of two affine numbers is quadratic, so three lengths in a line prove that it is affine after all.
    "Mul": ALL_OPERANDS,
    "Where": BRANCH_OPERANDS,
}
"""Operators whose result may be affine: which of their inputs may be affine, if all others are constant."""


def label_shape_operator(node: NodeContext) -> TimeDependence:
    """Labels the sizes of a value. If it holds events, the size of the event axis is affine in the length."""
    match node.labels[0]:
        case Constant() | AffineInLength():
            return Constant()
        case PerEvent():
            return _label_outputs(node)
        case LastEvent() if all(node.observed.is_same_at_all_lengths(name) for name in node.output_names):
            return Constant()
        case _:
            return LengthDependent()


def label_length_arithmetic(node: NodeContext) -> TimeDependence:
    """Labels a result that does not depend on the values of any event."""
    if node.operator == "ConstantOfShape":
        return _label_broadcast(node, node.labels[0])
    if node.operator == "Expand" and isinstance(node.labels[0], Constant):
        return _label_broadcast(node, node.labels[1])
    # A static input differs between requests, so its arithmetic cannot be proven from the observed runs.
    if node.statics:
        return LengthDependent(node.statics)
    if node.operator in COMPARISONS:
        return Constant() if _is_decided_for_all_lengths(node, COMPARISONS) else LengthDependent()
    if _stays_affine(node):
        return _label_outputs(node)
    return LengthDependent()


def _label_broadcast(node: NodeContext, shape: TimeDependence | None) -> TimeDependence:
    """Labels one value repeated over a shape. It is PerEvent if the shape follows the number of events."""
    if not isinstance(shape, AffineInLength):
        return LengthDependent(node.statics)
    axis = length_axis(node, node.output_shapes())
    return Constant(node.statics) if axis is None else PerEvent(node.statics, axis)


def _label_outputs(node: NodeContext) -> TimeDependence:
    """Labels the outputs by the values that were observed."""
    values = [node.observed.affine(name) for name in node.output_names]
    if any(value is None for value in values):
        return LengthDependent()
    return Constant() if all(value.is_constant for value in values if value) else AffineInLength()


def _stays_affine(node: NodeContext) -> bool:
    if node.operator in EXTREMES:
        return _is_decided_for_all_lengths(node, EXTREMES)
    if node.operator == "ReduceProd":
        return _is_known_product(node)
    may_be_affine = AFFINE_OPERANDS.get(node.operator, range(0))
    return all(
        isinstance(label, Constant) or (index in may_be_affine and isinstance(label, AffineInLength))
        for index, label in enumerate(node.labels)
        if label is not None
    )


def _is_known_product(node: NodeContext) -> bool:
    """Returns whether enough lengths were observed: k + 1 for a product of k affine numbers, whose degree is k."""
    if not isinstance(node.labels[0], AffineInLength):
        return False
    return bool(node.arrays(0)[0].size < len(node.observed.lengths))


def _is_decided_for_all_lengths(
    node: NodeContext, table: Mapping[str, Callable[[AffineArray], Array]]
) -> bool:
    """Returns whether two affine numbers compare alike at every length."""
    if any(isinstance(label, LengthDependent) for label in node.labels) or len(node.labels) != 2:
        return False
    one, other = (node.observed.affine(name) for name in node.proto.input)
    if one is None or other is None:
        return False
    return bool(table[node.operator](one - other).all())
