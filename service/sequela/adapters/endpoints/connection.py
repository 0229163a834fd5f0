"""A connection to one version of a model behind an endpoint."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.transport import Transport
from sequela.concurrency.deadline import Deadline

PROBE_SECONDS = 1.0
"""How long an endpoint may take to say that it is ready."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Connection:
    """A transport, and the limiter that it shares with other connections to the same endpoint.

    The transport is closed when nothing refers to the connection any more. While the endpoint is down, its circuit
    breaker asks any connection of the limiter whether the endpoint is back.

    Attributes:
        transport: Speaks to the model.
        limiter: Bounds the calls of all requests.
        tensor_bytes: Size of a call's tensors at most, before they are written into a message.
    """

    transport: Transport
    limiter: Limiter
    tensor_bytes: int

    def __post_init__(self) -> None:
        self.limiter.connections.add(self)
        weakref.finalize(self, self.transport.close)

    def ready(self) -> bool:
        """Whether the endpoint would take calls now."""
        return self.transport.ready(Deadline.now() + PROBE_SECONDS)

    def close(self) -> None:
        """Closes the transport; calls under way fail."""
        self.transport.close()
