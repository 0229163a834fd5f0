"""Reads an ONNX file of the model repository together with the weights that it keeps in other files.

torch.onnx.export writes `model.onnx` and `model.onnx.data`. Only files in the model's own folder are read, and no more
bytes than a model may have. That is why onnx's own loader is not used: it reads without a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnx import ModelProto, TensorProto

from sequela.adapters.onnx.file import IN_ONE_PIECE, dense_tensors, is_outside, location
from sequela.adapters.repository.bounded_files import read_bounded
from sequela.errors import InvalidInput

LOCATION = b"location"
"""Every tensor in another file has this key. A file that does not contain it need not be parsed."""


def read_whole(path: Path, max_bytes: int, place: str) -> bytes:
    """Returns the bytes of a model with all its weights.

    Args:
        path: The ONNX file.
        max_bytes: How large the model may be, weights included.
        place: The name of the file in errors.

    Raises:
        OSError: A file cannot be read.
        InvalidInput: MODEL_EXTERNAL_DATA if weights are missing or must not be read, MODEL_TOO_LARGE, FILE_TOO_LARGE,
            FILE_UNSUPPORTED.
    """
    content = read_bounded(path, max_bytes, place)
    if LOCATION not in content:
        return content
    try:
        model = ModelProto.FromString(content)
    except Exception:  # protobuf's DecodeError; loading the model will report it
        return content
    outside = [tensor for tensor in dense_tensors(model) if is_outside(tensor)]
    if not outside:
        return content
    files = {name: _weights_file(path, name, place) for name in dict.fromkeys(map(location, outside))}
    extents = [_extent(tensor, files, place) for tensor in outside]
    size = len(content) + sum(length for _, length in extents)
    if size > max_bytes:
        text = f"{size} bytes with its weights exceed the limit of {max_bytes} (--max-model-bytes)"
        raise InvalidInput.at(place, "MODEL_TOO_LARGE", text)
    for tensor, (offset, length) in zip(outside, extents, strict=True):
        with files[location(tensor)].open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    whole: bytes = model.SerializeToString()
    return whole


def _weights_file(path: Path, name: str, place: str) -> Path:
    """Returns the file of that name in the model's folder."""
    # A backslash would be a separator if the repository is read on Windows.
    if not name or Path(name).name != name or "\\" in name:
        text = f"its weights are in {name!r}; only files in the model's own folder are read;"
        raise _refusal(place, text)
    file = path.parent / name
    if not file.is_file():
        raise _refusal(
            place, f"its weights are in {name!r}, which is not in the model's folder; put it there, or"
        )
    # A link may only point to the folder that the model itself is linked to, as in mounted volumes.
    if file.resolve().parent not in (path.parent.resolve(), path.resolve().parent):
        raise _refusal(
            place,
            f"its weights file {name!r} is a link out of its folder, which is not followed; put the file there, or",
        )
    return file


def _extent(tensor: TensorProto, files: Mapping[str, Path], place: str) -> tuple[int, int]:
    """Returns the offset of a tensor's bytes in its file, and their number."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    name = location(tensor)
    size = files[name].stat().st_size
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", size - offset))
    except ValueError:
        # The check below reports this together with ranges that are out of bounds.
        offset = length = -1
    if offset < 0 or length < 0 or offset + length > size:
        part = f"{entries.get('length', 'all')} bytes from {entries.get('offset', 0)} on"
        raise _refusal(place, f"tensor {tensor.name!r} is {part} of {name!r}, which has {size} bytes;")
    return offset, length


def _refusal(place: str, text: str) -> InvalidInput:
    return InvalidInput.at(place, "MODEL_EXTERNAL_DATA", f"{text} {IN_ONE_PIECE}")
