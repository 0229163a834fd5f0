"""Checks that the texts of a model file are UTF-8. Protobuf returns other texts as bytes, which cannot be names."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto

from sequela.errors import InvalidInput

SHOWN = 60
"""The most bytes of a text that are shown."""


def check_text(model: ModelProto, path: str) -> None:
    """Raises InvalidInput (MODEL_NOT_ONNX) for the first name or note that is not UTF-8.

    The strings inside tensors and attributes are bytes in ONNX, and may be anything.
    """
    waiting: list[Any] = [model]
    while waiting:
        message = waiting.pop()
        for field, value in message.ListFields():
            values = [value] if isinstance(value, (str, bytes)) or hasattr(value, "ListFields") else value
            if field.type == field.TYPE_STRING:
                _check_values(values, field.name, path)
            elif field.type == field.TYPE_MESSAGE:
                waiting.extend(values)


def _check_values(values: Any, field: str, path: str) -> None:
    for value in values:
        if isinstance(value, bytes):
            text = f"the file is not a valid ONNX model: its field {field} holds {value[:SHOWN]!r}, which is not UTF-8"
            raise InvalidInput.at(path, "MODEL_NOT_ONNX", text)
