"""Models whose weights are in another file, as torch.onnx.export writes them, and ways in which that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from matrix import BY_NAME
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import convert_model_to_external_data

GRU = BY_NAME["gru"]


def put_beside(path: Path, content: bytes | None = None) -> ModelProto:
    """Writes a model, and moves all its tensors to `<path>.data`. Returns the content of the model file."""
    model = onnx.load_from_string(content or GRU.path.read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    convert_model_to_external_data(
        model, location=f"{path.name}.data", size_threshold=0, convert_attribute=True
    )
    onnx.save(model, path)
    return onnx.load(path, load_external_data=False)


def data(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


def outside(model: ModelProto) -> TensorProto:
    """Returns a tensor whose elements are in the other file."""
    return next(each for each in model.graph.initializer if each.external_data)


def says(key: str, value: str) -> Callable[[Path], None]:
    """Returns a change that makes one tensor name another place."""

    def change(path: Path) -> None:
        model = onnx.load(path, load_external_data=False)
        tensor = outside(model)
        for entry in list(tensor.external_data):
            if entry.key == key:
                tensor.external_data.remove(entry)
        tensor.external_data.add(key=key, value=value)
        path.write_bytes(model.SerializeToString())

    return change


def linked_away(path: Path) -> None:
    """Replaces the file with the weights by a link to a file elsewhere."""
    secret = path.parent.parent / "secret"
    secret.write_bytes(data(path).read_bytes())
    data(path).unlink()
    data(path).symlink_to(secret)


def cut_short(path: Path) -> None:
    data(path).write_bytes(data(path).read_bytes()[:-1])


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda path: data(path).unlink(), r"'model.onnx.data', which is not in the model's folder"),
    "a folder above": (says("location", "../model.onnx.data"), r"'\.\./model.onnx.data'; only files in"),
    "an absolute path": (says("location", "/etc/hostname"), "'/etc/hostname'; only files in"),
    "a folder within": (says("location", "a/model.onnx.data"), "'a/model.onnx.data'; only files in"),
    "no name": (says("location", ""), "only files in"),
    "the folder itself": (says("location", ".."), r"'\.\.'"),
    "a link": (linked_away, "'model.onnx.data' is a link out of its folder"),
    "cut short": (cut_short, r"bytes from \d+ on of 'model.onnx.data', which has \d+ bytes"),
    "an offset past the end": (says("offset", "1000000"), "from 1000000 on"),
    "a negative offset": (says("offset", "-4"), "from -4 on"),
    "no number": (says("length", "many"), "many bytes from"),
    "a huge length": (says("length", str(1 << 62)), "4611686018427387904 bytes"),
}
