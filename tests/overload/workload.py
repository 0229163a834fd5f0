"""The request that all calls send, with different seeds, and its exact answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import sequela
from numpy.typing import NDArray
from sequela_client.files import read_sequence
from sequela_client.requests import sequence_message
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

DEMO = Path(sequela.__file__).parent / "demo"
ALERT = DEMO / "alerts" / "takeover-20.json"
MODEL = "account_takeover"
ALL_COALITIONS = 1 << 16
"""Of the 16 players of the cell level, of which the default takes some 2,000."""


def request() -> pb.ExplainRequest:
    """Returns the request: an alert of the demo, with default options, whose features and cells are sampled.

    It has no captions of events, as when a program that scores asks, and not a case tool.
    """
    message = pb.ExplainRequest(sequence=sequence_message(read_sequence(ALERT)))
    del message.sequence.events[:]
    message.model.name = MODEL
    return message


@dataclass(frozen=True, slots=True)
class ExactCells:
    """The exact attributions of the cell level, and what they belong to."""

    players: str
    values: NDArray[np.float64]


def exact_cells(address: str, token: str) -> ExactCells:
    """Returns the exact attributions of the cells, which the server computes from all coalitions."""
    message = request()
    message.options.target_standard_error = 0.0
    message.options.max_coalitions = ALL_COALITIONS
    with grpc.insecure_channel(address) as channel:
        answer = rpc.ExplanationServiceStub(channel).Explain(
            message, timeout=60, metadata=(("authorization", f"Bearer {token}"),)
        )
    level = answer.explanation.cell_level
    if level.quality.stop_reason != pb.STOP_REASON_EXACT:
        raise RuntimeError(f"the exact answer is not exact: {level.quality.detail}")
    values = np.array([each.values[0] for each in level.attributions])
    return ExactCells(players_of(answer.explanation), values)


def players_of(found: pb.Explanation) -> str:
    """Returns the cells and groups of the cell level, which may depend on the sample."""
    return " ".join(f"{each.kind}:{each.event}:{each.feature}" for each in found.cell_level.attributions)
