"""Files that people send instead of an ONNX model, told by their first bytes."""

from __future__ import annotations

from dataclasses import dataclass

EXPORT = "export the model to ONNX"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of file begins (`place` bytes after its start), and what to say of it."""

    begins: bytes
    words: str
    place: int = 0


KINDS = (
    Kind(b"version https://git-lfs", "a pointer of Git LFS, not the file itself; fetch it with git lfs pull"),
    Kind(b"PK\x03\x04", f"a zip archive, as torch.save and Keras's .keras are; {EXPORT} (torch.onnx.export)"),
    Kind(b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras saves; {EXPORT} (model.export(path, format='onnx'))"),
    Kind(b"\x80", f"a pickle, as joblib and older torch.save write; {EXPORT} (skl2onnx, torch.onnx.export)"),
    Kind(b"\x1f\x8b", "compressed with gzip; decompress it first"),
    Kind(b"<", "XML or HTML, such as a page of a download that failed; fetch the file itself"),
    Kind(b"{", f"JSON, as LightGBM and XGBoost write models; {EXPORT} (onnxmltools)"),
    Kind(b"TFL3", f"a model of TensorFlow Lite; {EXPORT} (tf2onnx)", 4),
    Kind(b"ORTM", "of onnxruntime's own format (.ort); send the .onnx file that it was made from", 4),
)


def other_kind(content: bytes) -> str:
    """What a file is that is no ONNX model, with the way out; empty where nothing tells."""
    start = content[:64]
    bare = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for kind in KINDS:
        if start.startswith(kind.begins, kind.place) or (not kind.place and bare.startswith(kind.begins)):
            return kind.words
    return ""
