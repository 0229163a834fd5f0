"""The requests that calls send: accounts of a simulated bank that the demo's model was not trained on.

Each call has the default options and so the default seed, as those of most callers. So the server computes once for all
calls what does not depend on values. No call sends what another one has sent, so no stored answer is reused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

import grpc
import numpy as np
from numpy.typing import NDArray
from sequela_client.requests import sequence_message
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from models.account_takeover.simulate import Account, accounts

MODEL = "account_takeover"
SEED = 7
"""Not one of the seeds that the demo's model was trained or tested with."""
ALERTS = 8
LENGTHS = range(20, 81)
"""How many events an alert has."""
CHANGE = 1e-5
"""By how much calls change the latest event of an alert: the spread, in standard deviations of each feature."""
ALL_COALITIONS = 1 << 18
"""All coalitions of the cell level, if it has at most 18 players. By default, some 2,000 of them are taken."""


@dataclass(frozen=True, slots=True)
class ExactCells:
    """The exact attributions of the cell level of an alert, and what they belong to."""

    players: str
    values: NDArray[np.float64]


def request(number: int) -> pb.ExplainRequest:
    """Returns the request of a call: one of the alerts with default options, changed by less than matters to anybody.

    It has no captions of events. A case tool sends them, but a program that scores does not.
    """
    account = alerts()[number % ALERTS]
    numeric = account.numeric()
    change = np.random.default_rng(number).normal(scale=CHANGE, size=numeric.shape[1])
    numeric[-1] += change.astype(numeric.dtype)
    message = pb.ExplainRequest(
        sequence=sequence_message({"numeric": numeric, "categorical": account.categorical()})
    )
    message.model.name = MODEL
    return message


@cache
def alerts() -> tuple[Account, ...]:
    """Returns the alerts: accounts that were taken over."""
    return tuple(islice(_taken_over(), ALERTS))


def _taken_over() -> Iterator[Account]:
    drawn = accounts(SEED, takeover_share=1.0)
    return (each for each in drawn if len(each.history) in LENGTHS)


def exact_cells(address: str, token: str) -> dict[int, ExactCells]:
    """Returns the exact attributions of the cells of each alert, where the server can compute all coalitions."""
    found = {}
    with grpc.insecure_channel(address) as channel:
        stub = rpc.ExplanationServiceStub(channel)
        for alert in range(ALERTS):
            message = request(alert)
            message.options.target_standard_error = 0.0
            message.options.max_coalitions = ALL_COALITIONS
            answer = stub.Explain(message, timeout=600, metadata=(("authorization", f"Bearer {token}"),))
            level = answer.explanation.cell_level
            if level.quality.stop_reason == pb.STOP_REASON_EXACT:
                values = np.array([each.values[0] for each in level.attributions])
                found[alert] = ExactCells(players_of(answer.explanation), values)
    return found


def players_of(found: pb.Explanation) -> str:
    """Returns the cells and groups of the cell level, which may depend on the sample."""
    return " ".join(f"{each.kind}:{each.event}:{each.feature}" for each in found.cell_level.attributions)
