"""What comes out of reckoning with the number of events, away from the events themselves.

What follows it in a line is known for any number of events, and so is what does not follow it. All else is
`Counted`, even where it was the same whenever it was looked at: min(l, 64) is l until there are 65 events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sequela.adapters.onnx.stateful.affine import AffineArray, Array
from sequela.adapters.onnx.stateful.time_dependence import (
    AffineInLength,
    Constant,
    LastEvent,
    LengthDependent,
    NodeContext,
    PerEvent,
    TimeDependence,
    length_axis,
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
"""By the difference of their inputs: whether they choose the same for any number of events."""
FIRST_OPERAND, BRANCH_OPERANDS, ALL_OPERANDS = range(1), range(1, 3), range(2**31)
AFFINE_OPERANDS: Mapping[str, range] = {
    **dict.fromkeys(
        ("Identity", "Cast", "CastLike", "Squeeze", "Unsqueeze", "Reshape", "Flatten"), FIRST_OPERAND
    ),
    **dict.fromkeys(
        ("Transpose", "Slice", "Gather", "Split", "Expand", "Tile", "Neg", "ReduceSum"), FIRST_OPERAND
    ),
    **dict.fromkeys(("Concat", "Add", "Sub", "Sum"), ALL_OPERANDS),
    # Three points of a product of two lines that lie in a line are those of a line.
    "Mul": ALL_OPERANDS,
    "Where": BRANCH_OPERANDS,
}
"""Operators that give lines where these of their inputs are lines, and the others still."""


def label_shape_operator(node: NodeContext) -> TimeDependence:
    """The sizes of a value: events lie along one axis, and no other follows them."""
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
    """Of inputs that no event's values are in."""
    if node.operator == "ConstantOfShape":
        return _label_broadcast(node, node.labels[0])
    if node.operator == "Expand" and isinstance(node.labels[0], Constant):
        return _label_broadcast(node, node.labels[1])
    if node.statics:
        return LengthDependent(node.statics)
    if node.operator in COMPARISONS:
        return Constant() if _is_decided_for_all_lengths(node, COMPARISONS) else LengthDependent()
    if _stays_affine(node):
        return _label_outputs(node)
    return LengthDependent()


def _label_broadcast(node: NodeContext, shape: TimeDependence | None) -> TimeDependence:
    """One value over a shape, and so over time too where the shape follows the number of events."""
    if not isinstance(shape, AffineInLength):
        return LengthDependent(node.statics)
    axis = length_axis(node, node.outputs())
    return Constant(node.statics) if axis is None else PerEvent(node.statics, axis)


def _label_outputs(node: NodeContext) -> TimeDependence:
    lines = [node.observed.affine(name) for name in node.output_names]
    if any(line is None for line in lines):
        return LengthDependent()
    return Constant() if all(line.is_constant for line in lines if line) else AffineInLength()


def _stays_affine(node: NodeContext) -> bool:
    if node.operator in EXTREMES:
        return _is_decided_for_all_lengths(node, EXTREMES)
    if node.operator == "ReduceProd":
        return _is_product_of_few(node)
    places = AFFINE_OPERANDS.get(node.operator, range(0))
    return all(
        isinstance(label, Constant) or (place in places and isinstance(label, AffineInLength))
        for place, label in enumerate(node.labels)
        if label is not None
    )


def _is_product_of_few(node: NodeContext) -> bool:
    """A product of k lines is known from k + 1 lengths."""
    if not isinstance(node.labels[0], AffineInLength):
        return False
    return bool(node.arrays(0)[0].size < len(node.observed.lengths))


def _is_decided_for_all_lengths(
    node: NodeContext, table: Mapping[str, Callable[[AffineArray], Array]]
) -> bool:
    """Whether two lines do not cross."""
    if any(isinstance(label, LengthDependent) for label in node.labels) or len(node.labels) != 2:
        return False
    one, other = (node.observed.affine(name) for name in node.proto.input)
    if one is None or other is None:
        return False
    return bool(table[node.operator](one - other).all())
