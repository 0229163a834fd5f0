"""Errors as they cross the connection between the server and an engine."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sequela import errors
from sequela.adapters.store.ports import StoreDown
from sequela.errors import SequelaError, Violation

MAX_TEXT = 100_000
Text = Annotated[str, Field(max_length=MAX_TEXT)]

CLASSES: dict[str, type[SequelaError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidInput,
        errors.NotFound,
        errors.AlreadyExists,
        errors.DoesNotFit,
        errors.Overloaded,
        errors.Unavailable,
        errors.OutOfTime,
        errors.Cancelled,
        errors.Unsupported,
        errors.Forbidden,
    )
}


class ErrorForm(BaseModel):
    """An error of one of these classes. A subclass crosses as its base class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(pattern="^(" + "|".join(CLASSES) + ")$")]
    reason: Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]*$", max_length=80)]
    message: Text
    violations: tuple[tuple[Text, Text], ...] = ()
    retry_after: float | None = None
    metadata: dict[str, Text] = {}

    @classmethod
    def of(cls, error: SequelaError) -> ErrorForm:
        """Returns the form of an error."""
        kind = next(each.__name__ for each in type(error).__mro__ if CLASSES.get(each.__name__) is each)
        return cls(
            kind=kind,
            reason=error.reason,
            message=error.message[:MAX_TEXT],
            violations=tuple(
                (each.field[:MAX_TEXT], each.description[:MAX_TEXT]) for each in error.violations
            ),
            retry_after=error.retry_after,
            metadata={key: value[:MAX_TEXT] for key, value in error.metadata.items()},
        )

    def error(self) -> SequelaError:
        """Returns the error."""
        if self.reason == "STORE_DOWN":
            return StoreDown(self.message)
        return CLASSES[self.kind](
            self.reason,
            self.message,
            violations=[Violation(*each) for each in self.violations],
            retry_after=self.retry_after,
            metadata=self.metadata,
        )
