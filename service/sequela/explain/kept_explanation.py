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
    """An answer and, if it was encoded already, the bytes in which its content is sent.

    Attributes:
        explanation: The answer.
        content: The encoded answer without the fields that belong to the request; empty if it was not encoded.
    """

    explanation: Explanation
    content: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class KeptExplanation:
    """An explanation from the store. `sequence` is None if the server is set not to keep sequences."""

    explanation: Explanation
    sequence: KeptSequence | None
