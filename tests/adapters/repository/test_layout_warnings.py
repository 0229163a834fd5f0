"""What is misspelt or misplaced in a model repository is named, with the way out; what is somebody else's is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sequela.adapters.repository.layout_warnings import MAX_WARNINGS, layout_warnings


def lay(root: Path, *files: str) -> None:
    """Empty files, and folders by a `/` at the end."""
    for name in files:
        path = root / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(b"")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("fraud/latest/model.onnx", "fraud/latest/ is ignored: a version folder must be a whole number"),
        ("fraud/v1/endpoint.toml", "fraud/v1/ is ignored: a version folder must be a whole number"),
        (
            "fraud/01/model.onnx",
            "fraud/01/ is ignored: a version folder must be a whole number without leading",
        ),
        ("my fraud/1/model.onnx", "my fraud/ is ignored: a model name consists of at most 128 letters"),
        (
            "fraud/model.onnx",
            "fraud/model.onnx is ignored: it is not in a version folder; move it to fraud/1/",
        ),
        (
            "fraud.onnx",
            "fraud.onnx is ignored: it is not in a model's folder; move it to <name>/1/model.onnx",
        ),
        ("endpoint.toml", "endpoint.toml is ignored: it is not in a model's folder"),
        ("fraud/1/gru.onnx", "fraud/1/gru.onnx is ignored: the model must be named model.onnx; rename it"),
        ("fraud/1/Model.ONNX", "fraud/1/Model.ONNX is ignored: the model must be named model.onnx"),
        (
            "fraud/1/Endpoint.toml",
            "fraud/1/Endpoint.toml is ignored: an endpoint must be TOML and named endpoint.toml",
        ),
        (
            "fraud/config.pbtxt",
            "fraud/ contains no model; expected fraud/1/model.onnx or fraud/1/endpoint.toml",
        ),
        ("nested/fraud/1/model.onnx", "nested/ contains no model"),
    ],
)
def test_what_is_no_model(tmp_path: Path, file: str, said: str) -> None:
    """One note each, beside a model that is one."""
    lay(tmp_path, "good/1/model.onnx", "good/1/schema.json", file)
    (note,) = layout_warnings(tmp_path)
    assert note.startswith(said)


@pytest.mark.parametrize("name", ["Schema.json", "schema.yml", "schema.yaml", "shema.json", "schema.JSON"])
def test_a_schema_of_another_name(tmp_path: Path, name: str) -> None:
    """It would be missed in silence, since a model needs none."""
    lay(tmp_path, "fraud/1/model.onnx", f"fraud/1/{name}")
    (note,) = layout_warnings(tmp_path)
    assert note == f"fraud/1/{name} is ignored: the schema must be JSON and named schema.json; rename it"


def test_nothing_of_others(tmp_path: Path) -> None:
    """Hidden files, notes, weights, copies beside the right files, caches."""
    lay(
        tmp_path,
        *(
            ".git/1/model.onnx",
            "README.md",
            "__pycache__/",
            "lost+found/",
            "fraud/README.md",
            "fraud/docs/a.md",
        ),
        *(
            f"fraud/1/{name}"
            for name in ("model.onnx", "model.onnx.data", "int8.onnx", "labels.txt", "schema.json")
        ),
        *("fraud/1/schema.json.bak", "served/2/endpoint.toml", "served/2/token", "fraud/..data/model.onnx"),
    )
    assert layout_warnings(tmp_path) == []


def test_a_repository_of_something_else(tmp_path: Path) -> None:
    """No folder at all is said once; a folder of thousand files fills no log."""
    assert "it contains no folders" in layout_warnings(tmp_path)[0]
    lay(tmp_path, *(f"{number}.onnx" for number in range(MAX_WARNINGS + 5)), "good/1/model.onnx")
    notes = layout_warnings(tmp_path)
    assert len(notes) == MAX_WARNINGS + 1
    assert notes[-1] == "5 more files and folders are ignored"
