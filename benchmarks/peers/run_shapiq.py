"""Estimates Shapley values with shapiq. It is run by the Python of shapiq's environment.

    python -m benchmarks.peers.run_shapiq DESCRIPTOR

DESCRIPTOR is the number of an open socket, whose messages are described in estimator_process.py. A request has the name
of an approximator, and the numbers of players and of coalitions, the empty and the full one included, and a seed.
"""

import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from shapiq.approximator import SVARM, LeverageSHAP, OddSHAP, ProxySHAP

APPROXIMATORS: dict[str, Callable[..., Any]] = {
    "OddSHAP": OddSHAP,
    "ProxySHAP": lambda n, **rest: ProxySHAP(n, index="SV", max_order=1, **rest),
    "ProxySHAP, adjusted": lambda n, **rest: ProxySHAP(n, index="SV", max_order=1, adjustment=True, **rest),
    "LeverageSHAP": LeverageSHAP,
    "SVARM": SVARM,
}
"""Makes approximators of a number of players and a seed, with shapiq's defaults."""


def serve(connection: Any) -> None:
    """Answers requests until the other side closes the connection."""

    def worth(coalitions: Any) -> Any:
        connection.send(("coalitions", np.asarray(coalitions, dtype=bool).tobytes()))
        return np.frombuffer(connection.recv(), dtype=np.float64)

    while True:
        try:
            name, players, budget, seed = connection.recv()
        except EOFError:
            return
        found = APPROXIMATORS[name](players, random_state=seed).approximate(budget, worth)
        connection.send(("attributions", np.float64(found.get_n_order_values(1)).tobytes()))


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as opened:
        serve(opened)
