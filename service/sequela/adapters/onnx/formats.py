"""Recognises files that people send instead of an ONNX model by their first bytes."""

from __future__ import annotations

_EXPORT = "export it to ONNX first (docs/exporting.md)"

_MAGIC_AT_START: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer instead of the file itself; fetch it with `git lfs pull`",
    ),
    (b"\x1f\x8b", "compressed with gzip; decompress it first"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras writes .h5; {_EXPORT}"),
    (
        b"PK\x03\x04",
        f"a zip archive, as torch.save and Keras write; if it holds a model, {_EXPORT}, otherwise unpack it",
    ),
    # This byte is pickle's opcode PROTO, the first of each file since protocol 2.
    (b"\x80", f"a Python pickle; {_EXPORT}"),
    (b"<", "an HTML or XML page; open it, since a download may have been refused"),
    (b"{", "JSON text; send the .onnx file"),
)
# Both are flatbuffers, which start with the 4-byte offset of their content, followed by the identifier of the format.
_MAGIC_AT_BYTE_4: tuple[tuple[bytes, str], ...] = (
    (b"TFL3", "a TensorFlow Lite model; convert the original model to ONNX instead"),
    (b"ORTM", "a model in onnxruntime's own format (.ort); send the .onnx file that it was made from"),
)


def describe_format(content: bytes) -> str:
    """Says what a file is and what to do, as `but a Python pickle; …`. Returns "" if its first bytes are not known."""
    start = content[:64].lstrip()
    meaning = next((meaning for magic, meaning in _MAGIC_AT_START if start.startswith(magic)), "")
    meaning = meaning or next((meaning for magic, meaning in _MAGIC_AT_BYTE_4 if content[4:8] == magic), "")
    return f"but {meaning}" if meaning else ""
