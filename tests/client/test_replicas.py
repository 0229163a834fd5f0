"""A client whose address leads to several replicas."""

from __future__ import annotations

import numpy as np
from client.scripted import Script, serving
from sequela_client import Sequela
from waiting import eventually

SEQUENCE = np.ones((3, 2))


def both(*addresses: str) -> str:
    """A target with several addresses, as the name of a headless Service has them."""
    return f"ipv4:{','.join(addresses)}"


def test_calls_go_to_all_replicas() -> None:
    """In turn, over one client."""
    one, other = Script(), Script()
    with serving(one) as first, serving(other) as second, Sequela(both(first, second)) as client:
        # The first calls may find only one of the connections open.
        eventually(lambda: client.explain(SEQUENCE, model="m") and one.names and other.names)
        for script in (one, other):
            script.calls.clear()
        for _ in range(20):
            client.explain(SEQUENCE, model="m")
    assert len(one.names) == len(other.names) == 10


def test_a_replica_that_ends_costs_no_call() -> None:
    """The other one takes the calls."""
    one, other = Script(), Script()
    with serving(other) as second:
        with serving(one) as first:
            client = Sequela(both(first, second))
            for _ in range(6):
                client.explain(SEQUENCE, model="m")
        with client:
            for _ in range(20):
                assert client.explain(SEQUENCE, model="m").score == 0.9
    assert len(other.names) >= 20
