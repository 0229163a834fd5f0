"""Weights that an ONNX file of the model repository keeps in files beside it, put in.

Today's torch.onnx.export writes `model.onnx` and `model.onnx.data`. Only files of the model's own folder are read, and
no more than a model may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnx import ModelProto, TensorProto

from sequela.adapters.onnx.file import IN_ONE_PIECE, dense_tensors, is_outside, location
from sequela.errors import InvalidInput

LOCATION = b"location"
"""The key that every tensor in another file has."""


def read_whole(path: Path, most_bytes: int, place: str) -> bytes:
    """The bytes of a model in one piece; those of the file where it is one. `place` names it in errors.

    Raises OSError, and InvalidInput: MODEL_EXTERNAL_DATA for weights that are not there or must not be read,
    MODEL_TOO_LARGE past `most_bytes`.
    """
    content = path.read_bytes()
    if len(content) > most_bytes or LOCATION not in content:
        return content
    try:
        model = ModelProto.FromString(content)
    except Exception:  # protobuf's DecodeError; whoever loads the model says what is wrong with it
        return content
    outside = [tensor for tensor in dense_tensors(model) if is_outside(tensor)]
    if not outside:
        return content
    files = {name: _beside(path, name, place) for name in dict.fromkeys(map(location, outside))}
    parts = [_part(tensor, files, place) for tensor in outside]
    size = len(content) + sum(length for _, length in parts)
    if size > most_bytes:
        text = f"{size} bytes with its weights, the limit is {most_bytes}"
        raise InvalidInput.at(place, "MODEL_TOO_LARGE", text)
    for tensor, (offset, length) in zip(outside, parts, strict=True):
        with files[location(tensor)].open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    whole: bytes = model.SerializeToString()
    return whole


def _beside(path: Path, name: str, place: str) -> Path:
    """The file of that name in the model's folder."""
    if not name or Path(name).name != name or "\\" in name:
        text = f"its weights are said to lie in {name!r}; only files in the model's own folder are read"
        raise _refusal(place, text)
    file = path.parent / name
    if not file.is_file():
        raise _refusal(place, f"its weights lie in {name!r}, which is not in its folder; put it there")
    # A link may lead to where the model itself lies (as mounted volumes have it), and nowhere else.
    if file.resolve().parent not in (path.parent.resolve(), path.resolve().parent):
        raise _refusal(place, f"its weights file {name!r} is a link out of its folder, which is not followed")
    return file


def _part(tensor: TensorProto, files: Mapping[str, Path], place: str) -> tuple[int, int]:
    """Where a tensor's bytes begin in its file, and how many they are."""
    said = {entry.key: entry.value for entry in tensor.external_data}
    name = location(tensor)
    size = files[name].stat().st_size
    try:
        offset = int(said.get("offset", 0))
        length = int(said.get("length", size - offset))
    except ValueError:
        offset = length = -1
    if offset < 0 or length < 0 or offset + length > size:
        part = f"{said.get('length', 'all')} bytes from {said.get('offset', 0)} on"
        raise _refusal(place, f"tensor {tensor.name!r} is {part} of {name!r}, which has {size} bytes")
    return offset, length


def _refusal(place: str, text: str) -> InvalidInput:
    return InvalidInput.at(place, "MODEL_EXTERNAL_DATA", f"{text}, or {IN_ONE_PIECE}")
