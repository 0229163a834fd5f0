"""The port that each protocol implements. Limits, schemas and retries are independent of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.signature import InputSignature, OutputSignature

Feeds = Mapping[str, NDArray[Any]]
"""Values by input name, the batch as their first axis."""
NoteVersion = Callable[[str], None]
"""Is told which version of the model a valid answer names; empty if it names none."""


def ignore_version(_version: str) -> None:
    """Does nothing with the version that an answer names."""


@dataclass(frozen=True, slots=True)
class Description:
    """An endpoint's description of its model. Parts that the protocol or the server does not provide are empty.

    Attributes:
        inputs: The model's inputs.
        outputs: The model's outputs.
        versions: The versions that the server has.
        platform: The server's name for the software that runs the model.
        max_rows: The most rows in one call; None if the server does not limit them.
    """

    inputs: tuple[InputSignature, ...] = ()
    outputs: tuple[OutputSignature, ...] = ()
    versions: tuple[str, ...] = ()
    platform: str = ""
    max_rows: int | None = None


class Transport(Protocol):
    """Calls one model of one server. Safe to call from several threads at once; connects at the first call.

    `until` is on the monotonic clock: a call is over by then, whatever the server does. The errors are:

    DeadlinePassed                      the call was not over by `until`
    RetryableError (ENDPOINT_UNAVAILABLE)  not reached, connection lost, or the server says that it is unavailable
    Unavailable (ENDPOINT_UNAVAILABLE)  cancelled or timed out by the server or a gateway: the work may have been done
    Overloaded (ENDPOINT_OVERLOADED)    the server says that it is overloaded
    DoesNotFit (ENDPOINT_REFUSED)       the server refuses or fails: unknown model, wrong tensors, its model crashed,
                                        credentials; its own text follows, cut to a line
    DoesNotFit (ENDPOINT_ANSWER_INVALID)  wrong shape, type, name or version in the answer, or too large an answer
    DoesNotFit (MODEL_INPUT_UNSUPPORTED)  `describe`: an input is not a tensor of numbers with 1 to 8 axes
    Forbidden (ENDPOINT_NOT_ALLOWED)    the host's name leads to an address that is not allowed
    """

    def describe(self, until: float) -> Description:
        """Returns the server's description of the model."""

    def infer(
        self, feeds: Feeds, output: str, until: float, note_version: NoteVersion = ignore_version
    ) -> NDArray[np.float64]:
        """Returns one output (n, …) of a batch of n rows. If `output` is empty, returns the only or the first one."""

    def ready(self, until: float) -> bool:
        """Returns whether the server would take calls for the model now. Never raises."""

    def close(self) -> None:
        """Closes the connection. Calls in flight fail."""
