"""Reads the files of a model in the operator's repository."""

from __future__ import annotations

from pathlib import Path

from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.repository.bounded_files import read_bounded
from sequela.adapters.repository.external_weights import read_whole
from sequela.adapters.repository.model_folders import ENDPOINT_FILE, ONNX_FILE, SCHEMA_FILE
from sequela.errors import InvalidInput
from sequela.explain.limits import Limits


def read_model(folder: Path, limits: Limits) -> ModelBytes:
    """Returns the files of a model, with its weights put into the ONNX file.

    Args:
        folder: The folder of a version, `<root>/<name>/<version>`.
        limits: The largest sizes of the ONNX file with its weights, and of the schema.

    Raises:
        OSError: A file cannot be read.
        InvalidInput: MODEL_MISSING or MODEL_AMBIGUOUS, and what `read_whole` and `read_bounded` raise.
    """
    onnx, schema = folder / ONNX_FILE, folder / SCHEMA_FILE
    place = f"{folder.parent.name}/{folder.name}"
    if not onnx.exists() and not (folder / ENDPOINT_FILE).exists():
        text = f"contains neither {ONNX_FILE} nor {ENDPOINT_FILE}; add one of them"
        raise InvalidInput.at(place, "MODEL_MISSING", text)
    if (folder / ENDPOINT_FILE).exists():
        text = f"contains both {ONNX_FILE} and {ENDPOINT_FILE}; remove one of them"
        raise InvalidInput.at(place, "MODEL_AMBIGUOUS", text)
    return ModelBytes(
        onnx=read_whole(onnx, limits.max_model_bytes, f"{place}/{ONNX_FILE}"),
        schema_json=read_bounded(schema, limits.max_schema_bytes, f"{place}/{SCHEMA_FILE}")
        if schema.exists()
        else b"",
        onnx_path=f"{place}/{ONNX_FILE}",
        schema_path=f"{place}/{SCHEMA_FILE}",
    )
