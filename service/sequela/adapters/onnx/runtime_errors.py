"""Shortens onnxruntime's error messages to one line, and adds what to do where that is known."""

from __future__ import annotations

import re

MAX_CHARACTERS = 300
# onnxruntime names the place in its own sources: `/onnxruntime_src/…/gather.cc:154 …`.
SOURCE_LOCATION = re.compile(r"\S+\.(?:cc|h|cpp):\d+ (?:[^()]*onnxruntime::[^()]*\([^()]*\)(?: const)? ?)?")
ERROR_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : ")
OPSET = re.compile(r"Opset (\d+) is under development.* for domain ([\w.]+) is till opset (\d+)")
IR_VERSION = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
NO_DOUBLE = re.compile("does not support double", re.IGNORECASE)
NO_OPERATOR = re.compile(r"No Op registered for (\S+) with domain_version of (\d+)")


def message(error: Exception) -> str:
    """Returns the message of an error, in one line."""
    # A message can quote bytes of the file that are not UTF-8. onnxruntime's bindings then raise this error instead
    # of their own; it holds the message. With Python 3.11.2, they raise their own without a message.
    if isinstance(error, UnicodeDecodeError):
        return " ".join(error.object.decode(errors="backslashreplace").split())
    return " ".join(str(error).split()) or f"{type(error).__name__}, with a message that cannot be read"


def one_line(error: Exception) -> str:
    """Shortens a message to one line of limited length, without locations in onnxruntime's sources."""
    text = ERROR_PREFIX.sub("", SOURCE_LOCATION.sub("", message(error)))
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def why_failed(error: Exception) -> str:
    """Returns why a run failed, and what to do about it."""
    text = one_line(error)
    return f"{text}. Export the model in float32 (model.float())" if NO_DOUBLE.search(text) else text


def why_refused(error: Exception) -> str:
    """Returns why onnxruntime does not load a model, and what to do about it."""
    text = message(error)
    if found := OPSET.search(text):
        opset, domain, newest = found.groups()
        text = f"opset {opset} of {domain} is too new, the newest supported is {newest}"
        return f"{text}: export with opset_version={newest}"
    if found := IR_VERSION.search(text):
        version, newest = found.groups()
        return (
            f"IR version {version} is too new, the newest supported is {newest}: export with an older onnx package, or "
            f"set model.ir_version = {newest} and save the model again"
        )
    if found := NO_OPERATOR.search(text):
        name, version = found.groups()
        return f"operator {name} does not exist in opset {version}: export with the opset_version that has it"
    return one_line(error)
