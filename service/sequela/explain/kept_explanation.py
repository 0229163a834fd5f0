"""A stored explanation together with the sequence that it explains."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.explain.explanation import Explanation
from sequela.explain.request import EventInfo, GivenSequence, NamedArray


@dataclass(frozen=True, slots=True, eq=False)
class KeptSequence:
    """A sequence as the caller sent it, so that the same request can be made again.

    Attributes:
        inputs: The values of every input, with their names and column names.
        events: The caller's notes on the real events, oldest first; empty if there are none.
    """

    inputs: tuple[NamedArray, ...]
    events: tuple[EventInfo, ...] = ()

    @classmethod
    def of(cls, given: GivenSequence) -> KeptSequence:
        """Returns the sequence of a request."""
        return cls(given.inputs, given.events)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedExplanation:
    """An answer, with its content in the bytes in which it is sent, if it was encoded already.

    Attributes:
        explanation: The answer.
        content: All but what belongs to the request, in the form of the contract; empty if it was not encoded.
    """

    explanation: Explanation
    content: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class KeptExplanation:
    """An explanation from the store. `sequence` is None if the server is set not to keep sequences."""

    explanation: Explanation
    sequence: KeptSequence | None
