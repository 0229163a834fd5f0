"""A connection to one version of a model behind an endpoint."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.transport import Transport
from sequela.concurrency.deadline import Deadline

PROBE_SECONDS = 1.0
"""How long an endpoint may take to answer whether it is ready, in seconds."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Connection:
    """A transport, and the limiter that it shares with other connections to the same endpoint.

    The transport is closed when the connection is garbage collected. While the endpoint is down, the circuit breaker
    uses any connection of the limiter to check whether it is available again.

    Attributes:
        transport: Sends calls to the model.
        limiter: Limits the calls of all requests.
        tensor_bytes: The maximum size of a call's tensors in bytes, before they are encoded.
    """

    transport: Transport
    limiter: Limiter
    tensor_bytes: int

    def __post_init__(self) -> None:
        self.limiter.connections.add(self)
        weakref.finalize(self, self.transport.close)

    def ready(self) -> bool:
        """Returns whether the endpoint accepts calls at present."""
        return self.transport.ready(Deadline.now() + PROBE_SECONDS)

    def close(self) -> None:
        """Closes the transport. Calls in flight fail."""
        self.transport.close()
