"""What onnxruntime says, in one line, with a way out where it is known."""

from __future__ import annotations

import re

MAX_CHARACTERS = 300
# onnxruntime says where in its own sources it failed: `/onnxruntime_src/…/gather.cc:154 …`.
SOURCE_PLACE = re.compile(r"\S+\.(?:cc|h|cpp):\d+ (?:[^()]*onnxruntime::[^()]*\([^()]*\)(?: const)? ?)?")
ERROR_HEAD = re.compile(r"^\[ONNXRuntimeError\] : \d+ : ")
OPSET = re.compile(r"Opset (\d+) is under development.* for domain ([\w.]+) is till opset (\d+)")
IR_VERSION = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
NO_DOUBLE = re.compile("does not support double", re.IGNORECASE)
NO_OPERATOR = re.compile(r"No Op registered for (\S+) with domain_version of (\d+)")


def one_line(error: Exception) -> str:
    """Short, and without the places in its sources."""
    text = ERROR_HEAD.sub("", SOURCE_PLACE.sub("", " ".join(str(error).split())))
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def why_failed(error: Exception) -> str:
    """Why a run failed, and what to do about it."""
    text = one_line(error)
    return f"{text}. Export it in float32 (model.float())" if NO_DOUBLE.search(text) else text


def why_refused(error: Exception) -> str:
    """Why it does not take a model, and what to do about it."""
    text = " ".join(str(error).split())
    if found := OPSET.search(text):
        said, domain, newest = found.groups()
        return f"opset {said} of {domain}, the newest that it runs is {newest}: export with opset_version={newest}"
    if found := IR_VERSION.search(text):
        said, newest = found.groups()
        return (
            f"IR version {said}, max supported IR version: {newest}; export with an older onnx package, or set "
            f"model.ir_version = {newest} and save it again"
        )
    if found := NO_OPERATOR.search(text):
        name, version = found.groups()
        return f"it has no operator {name} in opset {version}: export with the opset_version that has it"
    return one_line(error)
