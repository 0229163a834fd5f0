"""The error that this package raises."""

from __future__ import annotations


class InvalidTensor(Exception):
    """A tensor that violates the protocol. Callers convert it to an error of their own.

    Attributes:
        field: Path of the invalid field, relative to what was read (`inputs[0].shape`, or `shape` if a single tensor
            was read). Empty if the error is not about a single field.
        reason: `TENSOR_DTYPE`, `TENSOR_SHAPE`, `TENSOR_SIZE`, `TENSOR_ELEMENTS`, `TENSOR_VALUE` or
            `TENSOR_NOT_FINITE`.
        description: What is wrong, and what is allowed, as a verb and its object: "holds BYTES, not numbers". It may
            contain text from the sender of the tensor.
    """

    def __init__(self, field: str, reason: str, description: str) -> None:
        super().__init__(f"{field}: {description}" if field else description)
        self.field, self.reason, self.description = field, reason, description

    def below(self, path: str) -> InvalidTensor:
        """Returns the same error with a field that starts with `path`."""
        field = f"{path}.{self.field}" if self.field else path
        return InvalidTensor(field, self.reason, self.description)
