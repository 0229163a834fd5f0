"""What a file is that is no ONNX model, told from its first bytes: what people send instead."""

from __future__ import annotations

_EXPORT = "export it to ONNX first (docs/exporting.md)"

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a pointer of Git LFS, not the file it points to; fetch it with `git lfs pull`",
    ),
    (b"\x1f\x8b", "compressed with gzip; decompress it first"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras writes .h5; {_EXPORT}"),
    (
        b"PK\x03\x04",
        f"a zip archive, as torch.save and Keras write; if it holds a model, {_EXPORT}, else unpack it",
    ),
    (b"\x80", f"a pickle of Python; {_EXPORT}"),
    (b"<", "a page of HTML or XML; look into it, since a download may have been refused"),
    (b"{", "a text of JSON; send the .onnx file"),
)
_AT_FOUR: tuple[tuple[bytes, str], ...] = (
    (b"TFL3", "a model of TensorFlow Lite; convert the original model to ONNX instead"),
    (b"ORTM", "a model in onnxruntime's own format (.ort); send the .onnx file that it was made from"),
)


def describe_format(content: bytes) -> str:
    """`but` what the file is, and the way out; empty where its first bytes do not tell."""
    start = content[:64].lstrip()
    meaning = next((meaning for beginning, meaning in _BEGINNINGS if start.startswith(beginning)), "")
    meaning = meaning or next((meaning for mark, meaning in _AT_FOUR if content[4:8] == mark), "")
    return f"but {meaning}" if meaning else ""
