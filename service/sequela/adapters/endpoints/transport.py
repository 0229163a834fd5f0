"""One protocol's way to a served model; what stands before it knows limits, schemas and retries, and no protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.signature import InputSignature, OutputSignature

Feeds = Mapping[str, NDArray[Any]]
"""Values by input name, the batch as their first axis."""


@dataclass(frozen=True, slots=True)
class Description:
    """What an endpoint says of its model; empty parts where its protocol or its server does not say.

    most_rows: rows of a call at most, where the server limits them.
    """

    inputs: tuple[InputSignature, ...] = ()
    outputs: tuple[OutputSignature, ...] = ()
    versions: tuple[str, ...] = ()
    platform: str = ""
    most_rows: int | None = None


class Transport(Protocol):
    """Speaks to one model of one server. Safe to call from several threads at once; connects when first asked.

    `until` is on the monotonic clock: a call is over by then, whatever the server does. What goes wrong is raised as

    TimeUp                              it came to `until`
    TryAgain (ENDPOINT_UNAVAILABLE)     not reached, reset, or the server says that it is unavailable
    Unavailable (ENDPOINT_UNAVAILABLE)  cancelled or timed out by the server or a gateway: the work may have been done
    Overloaded (ENDPOINT_OVERLOADED)    the server says that it has too much to do
    DoesNotFit (ENDPOINT_REFUSED)       the server says no, or fails: unknown model, wrong tensors, its model crashed,
                                        credentials; its own words follow, cut to a line
    DoesNotFit (ENDPOINT_ANSWER_INVALID)  an answer that is not one: another shape, type, name or version, too large
    DoesNotFit (MODEL_INPUT_UNSUPPORTED)  `describe`: an input that is no tensor of numbers with 1 to 8 axes
    Forbidden (ENDPOINT_NOT_ALLOWED)    the host's name leads to an address that is not let through
    """

    def describe(self, until: float) -> Description:
        """What the server says of the model."""

    def infer(self, feeds: Feeds, output: str, until: float) -> NDArray[np.float64]:
        """One output (n, …) of a batch of n rows; `output` empty: the only one, or the first."""

    def ready(self, until: float) -> bool:
        """Whether the server would take calls for the model now. Raises nothing."""

    def close(self) -> None:
        """Ends the connection; calls under way fail."""
