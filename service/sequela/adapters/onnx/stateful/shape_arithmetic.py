"""What comes out of reckoning with the number of events, away from the events themselves.

What follows it in a line is known for any number of events, and so is what does not follow it. All else is
`Counted`, even where it was the same whenever it was looked at: min(l, 64) is l until there are 65 events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sequela.adapters.onnx.stateful.affine import Array, Lines
from sequela.adapters.onnx.stateful.labels import (
    Counted,
    Label,
    Last,
    Linear,
    Node,
    Still,
    Timed,
    varying_axis,
)

SHAPES = ("Shape", "Size")
COMPARISONS: Mapping[str, Callable[[Lines], Array]] = {
    **dict.fromkeys(("Less", "GreaterOrEqual"), Lines.stay_below),
    **dict.fromkeys(("Greater", "LessOrEqual"), Lines.stay_above),
    "Equal": lambda difference: difference.stay_below() & difference.stay_above(),
}
EXTREMES: Mapping[str, Callable[[Lines], Array]] = dict.fromkeys(
    ("Max", "Min"), lambda difference: difference.stay_below() | difference.stay_above()
)
"""By the difference of their inputs: whether they choose the same for any number of events."""
FIRST, CHOSEN, ALL = range(1), range(1, 3), range(2**31)
KEEP_LINES: Mapping[str, range] = {
    **dict.fromkeys(("Identity", "Cast", "CastLike", "Squeeze", "Unsqueeze", "Reshape", "Flatten"), FIRST),
    **dict.fromkeys(("Transpose", "Slice", "Gather", "Split", "Expand", "Tile", "Neg", "ReduceSum"), FIRST),
    **dict.fromkeys(("Concat", "Add", "Sub", "Sum"), ALL),
    # Three points of a product of two lines that lie in a line are those of a line.
    "Mul": ALL,
    "Where": CHOSEN,
}
"""Operators that give lines where these of their inputs are lines, and the others still."""


def sized(node: Node) -> Label:
    """The sizes of a value: events lie along one axis, and no other follows them."""
    match node.labels[0]:
        case Still() | Linear():
            return Still()
        case Timed():
            return _in_lines(node)
        case Last() if all(node.observed.settled(name) for name in node.given_outputs):
            return Still()
        case _:
            return Counted()


def reckoned(node: Node) -> Label:
    """Of inputs that no event's values are in."""
    if node.operator == "ConstantOfShape":
        return _spread(node, node.labels[0])
    if node.operator == "Expand" and isinstance(node.labels[0], Still):
        return _spread(node, node.labels[1])
    if node.statics:
        return Counted(node.statics)
    if node.operator in COMPARISONS:
        return Still() if _is_decided(node, COMPARISONS) else Counted()
    if _keeps_lines(node):
        return _in_lines(node)
    return Counted()


def _spread(node: Node, shape: Label | None) -> Label:
    """One value over a shape, and so over time too where the shape follows the number of events."""
    if not isinstance(shape, Linear):
        return Counted(node.statics)
    axis = varying_axis(node, node.outputs())
    return Still(node.statics) if axis is None else Timed(node.statics, axis)


def _in_lines(node: Node) -> Label:
    lines = [node.observed.lines(name) for name in node.given_outputs]
    if any(line is None for line in lines):
        return Counted()
    return Still() if all(line.flat for line in lines if line) else Linear()


def _keeps_lines(node: Node) -> bool:
    if node.operator in EXTREMES:
        return _is_decided(node, EXTREMES)
    if node.operator == "ReduceProd":
        return _is_product_of_few(node)
    places = KEEP_LINES.get(node.operator, range(0))
    return all(
        isinstance(label, Still) or (place in places and isinstance(label, Linear))
        for place, label in enumerate(node.labels)
        if label is not None
    )


def _is_product_of_few(node: Node) -> bool:
    """A product of k lines is known from k + 1 lengths."""
    if not isinstance(node.labels[0], Linear):
        return False
    return bool(node.arrays(0)[0].size < len(node.observed.lengths))


def _is_decided(node: Node, table: Mapping[str, Callable[[Lines], Array]]) -> bool:
    """Whether two lines do not cross."""
    if any(isinstance(label, Counted) for label in node.labels) or len(node.labels) != 2:
        return False
    one, other = (node.observed.lines(name) for name in node.proto.input)
    if one is None or other is None:
        return False
    return bool(table[node.operator](one - other).all())
