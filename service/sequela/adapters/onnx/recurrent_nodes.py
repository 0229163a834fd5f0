"""ONNX's recurrent operators: which they are, and the indices of their inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import NodeProto

STANDARD_DOMAINS = ("", "ai.onnx")
STATES: Mapping[str, int] = {"RNN": 1, "GRU": 1, "LSTM": 2}
"""The number of states of each operator. Initial states are inputs from index `FIRST_STATE` on, final states are
outputs from index 1 on.
"""
SEQUENCE_LENGTHS = 4
FIRST_STATE = 5


def is_recurrent(node: NodeProto) -> bool:
    """Returns whether a node is an RNN, a GRU or an LSTM."""
    return node.domain in STANDARD_DOMAINS and node.op_type in STATES


def describe_node(node: NodeProto) -> str:
    """Returns a node as messages name it: `GRU '/layer/GRU'`. A node without a name is named after its first output."""
    name = node.name or next((output for output in node.output if output), "")
    return f"{node.op_type} {name!r}"
