"""What an engine answers, and how the front reads it: an engine that a model has taken over may send anything.

An answer is one letter and its content. Texts and numbers are bounded, and errors are of a closed set of kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, ClassVar

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from sequela.adapters.upload_engines.packed_arrays import pack_arrays, unpack_arrays
from sequela.concurrency.deadline import DeadlinePassed
from sequela.errors import DoesNotFit, InvalidInput, SequelaError, Violation
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.schema import ModelSchema

MAX_TEXT = 20_000
"""Characters of one text. Some messages contain entries to paste into a schema."""
MAX_WORK = 1 << 62

REASONS = frozenset(
    {
        "MODEL_CUSTOM_OPERATORS",
        "MODEL_EXTERNAL_DATA",
        "MODEL_FAILED",
        "MODEL_HAS_TRAINING",
        "MODEL_INPUT_UNSUPPORTED",
        "MODEL_NOT_DETERMINISTIC",
        "MODEL_NOT_ONNX",
        "MODEL_NOT_RUNNABLE",
        "MODEL_NOT_UNDERSTOOD",
        "MODEL_OUTPUT_NOT_FINITE",
        "MODEL_OUTPUT_TOO_LARGE",
        "MODEL_OUTPUT_UNSUPPORTED",
        "MODEL_ROWS_COUPLED",
        "MODEL_STRINGS_UNSUPPORTED",
        "MODEL_TOO_LARGE",
        "MODEL_TOO_SLOW",
        "SCHEMA_DOES_NOT_FIT",
        "SCHEMA_INVALID",
        "SCHEMA_NEEDED",
        "SCHEMA_TOO_LARGE",
        "VALUE_OUT_OF_RANGE",
    }
)
"""The reasons that loading and running a model can have. Other errors are not passed on."""

Text = Annotated[str, Field(max_length=MAX_TEXT)]


class AnswerKind(Enum):
    """The first letter of an answer."""

    ARRAYS = b"a"
    FACTS = b"f"
    ERROR = b"e"
    NOT_LOADED = b"n"
    DEADLINE_PASSED = b"d"


class ErrorKind(Enum):
    """The classes of errors that a model can cause."""

    INVALID_INPUT = "InvalidInput"
    DOES_NOT_FIT = "DoesNotFit"


ERRORS: dict[ErrorKind, type[SequelaError]] = {
    ErrorKind.INVALID_INPUT: InvalidInput,
    ErrorKind.DOES_NOT_FIT: DoesNotFit,
}


class ModelErrorAnswer(BaseModel):
    """An error, as it crosses the connection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ErrorKind
    reason: str
    message: Text
    violations: Annotated[list[tuple[Text, Text]], Field(max_length=64)] = []

    def raise_it(self) -> None:
        """Raises the error."""
        if self.reason not in REASONS:
            raise ValueError(f"the reason {self.reason[:80]!r}")
        violations = [Violation(*each) for each in self.violations]
        raise ERRORS[self.kind](self.reason, self.message, violations=violations)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What loading a model found out. The front adds the digest, the name and the default background.

    Attributes:
        schema: The complete schema.
        fixed_length: The number of events that the model takes; None for any number.
        warnings: What was assumed.
        execution: How the model is run, for operators.
        step_work: The multiply-adds of one event.
        static_enters: As in `Recurrence.static_enters`; None if the model cannot be run from states.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    schema: ModelSchema
    fixed_length: Annotated[int, Field(ge=1, le=1 << 31)] | None
    warnings: Annotated[tuple[ExplanationWarning, ...], Field(max_length=256)]
    execution: Annotated[str, Field(max_length=2_000)]
    step_work: Annotated[int, Field(ge=0, le=MAX_WORK)]
    static_enters: Annotated[tuple[bool, ...], Field(max_length=10_000)] | None


_facts = TypeAdapter(ModelFacts)


def arrays_answer(arrays: Sequence[NDArray[Any]]) -> bytes:
    """Returns the answer with these arrays."""
    return AnswerKind.ARRAYS.value + pack_arrays(arrays)


def facts_answer(facts: ModelFacts, states: Sequence[NDArray[Any]]) -> bytes:
    """Returns the answer to `DescribeModel`: facts, and the states of one row before the first event."""
    text = to_json(facts, inf_nan_mode="constants")
    return AnswerKind.FACTS.value + len(text).to_bytes(4, "big") + text + pack_arrays(states)


def error_answer(error: SequelaError) -> bytes:
    """Returns the answer for an error."""
    kind = ErrorKind.INVALID_INPUT if isinstance(error, InvalidInput) else ErrorKind.DOES_NOT_FIT
    violations = [(each.field[:MAX_TEXT], each.description[:MAX_TEXT]) for each in error.violations[:64]]
    answer = ModelErrorAnswer(
        kind=kind, reason=error.reason, message=error.message[:MAX_TEXT], violations=violations
    )
    return AnswerKind.ERROR.value + answer.model_dump_json().encode()


def is_not_loaded(answer: bytes) -> bool:
    """Returns whether the engine does not have the model yet."""
    return answer == AnswerKind.NOT_LOADED.value


def read_arrays(answer: bytes) -> tuple[NDArray[Any], ...]:
    """Returns the arrays of an answer.

    Raises:
        SequelaError, DeadlinePassed: What the engine reports.
        ValueError: The answer is none of these.
    """
    return unpack_arrays(_content(answer, AnswerKind.ARRAYS))


def read_facts(answer: bytes) -> tuple[ModelFacts, tuple[NDArray[Any], ...]]:
    """Returns the facts and the states. Raises as `read_arrays`."""
    content = _content(answer, AnswerKind.FACTS)
    edge = 4 + int.from_bytes(content[:4], "big")
    return _facts.validate_json(content[4:edge]), unpack_arrays(content[edge:])


def _content(answer: bytes, wanted: AnswerKind) -> bytes:
    kind, content = AnswerKind(answer[:1]), answer[1:]
    if kind is AnswerKind.ERROR:
        ModelErrorAnswer.model_validate_json(content).raise_it()
    if kind is AnswerKind.DEADLINE_PASSED:
        raise DeadlinePassed
    if kind is not wanted:
        raise ValueError(f"an answer of the kind {kind.name}")
    return content
