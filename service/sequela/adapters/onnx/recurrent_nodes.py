"""The recurrent operators of ONNX: which they are, and where their inputs and outputs stand."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import NodeProto

STANDARD_DOMAINS = ("", "ai.onnx")
STATES: Mapping[str, int] = {"RNN": 1, "GRU": 1, "LSTM": 2}
"""How many states each has: their initial values are inputs from `FIRST_STATE` on, their final ones outputs
from 1 on.
"""
SEQUENCE_LENGTHS = 4
FIRST_STATE = 5


def is_recurrent(node: NodeProto) -> bool:
    """Whether it is an RNN, a GRU or an LSTM."""
    return node.domain in STANDARD_DOMAINS and node.op_type in STATES


def describe_node(node: NodeProto) -> str:
    """`GRU '/layer/GRU'`; exporters that name no nodes name at least their outputs."""
    name = node.name or next((output for output in node.output if output), "")
    return f"{node.op_type} {name!r}"
