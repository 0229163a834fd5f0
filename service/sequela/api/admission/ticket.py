"""What the queues know of a request."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import RequestShape


@dataclass(slots=True, eq=False)
class Ticket:
    """One request, as the queues see it.

    Attributes:
        client: The client that sent the request. Clients take turns.
        priority: The queue that it waits in.
        model: The digest of its model.
        shape: Its size.
        error_factor: By how much the default target of its standard errors is multiplied; set when its work begins.
        share_seconds: How long its work may take, so that others get an answer too; set when its work begins.
    """

    client: str
    priority: Priority
    model: str
    shape: RequestShape
    error_factor: float = 1.0
    share_seconds: float = math.inf
