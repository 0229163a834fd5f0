"""Translates paths of the contract's fields to the arguments that a caller wrote: `options.seed` is `seed` in Python.

An error from the server names a field by its path in the request message, and a caller of this client never sees that
message. The table below is the only place that translates paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

# Patterns of whole paths, and the arguments that replace them. The first pattern that matches is used.
_ARGUMENTS = (
    (r"options\.(?P<option>.+)", r"\g<option>"),
    (r"(model\.(inline|endpoint)|header)\.schema_json|schema", "schema.json"),
    (r"model\.endpoint\.version", "model.version"),
    (r"model\..+|onnx_chunk|header\.model(\..+)?", "model"),
    (r"header\.(?P<argument>name|average|shape)", r"\g<argument>"),
    (r"background\.(name|digest|values)", "background"),
    (r"start_time", "start"),
    (r"end_time", "end"),
)

# The values of one input of a sequence or of a background. The rest of such a path is a detail of the message.
_VALUES = re.compile(
    r"(?P<owner>sequence|sequences\[\d+\]|background\.values|values)"
    r"\.(?P<kind>inputs|mean_event)\[(?P<place>\d+)\](?P<part>\.events.*)?"
)


def argument_of(path: str, request: Any = None) -> str:
    """Returns the argument that a path of a request message stands for.

    Args:
        path: a path such as `sequence.inputs[1].tensor.shape`.
        request: the message, or the list of messages, that the path leads into; the name of an input is read from it.

    Returns:
        An argument such as `sequence['amounts']`, or the path itself if it is not known.
    """
    if found := _VALUES.match(path):
        owner = "background" if found["owner"] == "background.values" else found["owner"]
        mean = ".mean_event" if found["kind"] == "mean_event" else ""
        name = _input_name(request, found)
        return f"{owner}{mean}[{name!r}]" if name else f"{owner}{mean}"
    for pattern, argument in _ARGUMENTS:
        if match := re.fullmatch(pattern, path):
            return match.expand(argument)
    return path


def with_arguments(text: str, paths: Iterable[str], request: Any = None) -> str:
    """Returns a message in which each of the paths is replaced by its argument."""
    # The longest path first, so that no path is replaced within another one.
    for path in sorted({path for path in paths if path}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w.]){re.escape(path)}(?![\w\[])", argument_of(path, request), text)
    return text


def _input_name(request: Any, found: re.Match[str]) -> str:
    """Returns the input's name as it was sent; empty if a sequence or background is a single array."""
    for message in request if isinstance(request, list) else [request]:
        inputs = _resolved(message, f"{found['owner']}.{found['kind']}")
        if inputs is not None and int(found["place"]) < len(inputs):
            return str(inputs[int(found["place"])].name)
    return ""


def _resolved(message: Any, path: str) -> Any:
    """Returns the value at a path in a message; None if the message has no such field."""
    for name, place in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
        if not isinstance(message, Message) or name not in message.DESCRIPTOR.fields_by_name:
            return None
        message = getattr(message, name)
        if place:
            if int(place) >= len(message):
                return None
            message = message[int(place)]
    return message
