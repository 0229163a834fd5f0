"""Runs the code of docs/exporting.md and stores the models that it writes: `python -m models.exported.export`.

Each program runs in a new process, in the environment of its framework (`scripts/peer_env.py` makes it), in an empty
folder. The models are written to tests/fixtures/exported, together with the digest of the program that made each, so
that a test notices if the page has changed since.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from onnx.external_data_helper import uses_external_data

from models.exported.page import PAGE, ROOT, Snippet, program, snippets
from scripts.peer_env import ensure

FIXTURES = ROOT / "tests" / "fixtures" / "exported"
PROGRAMS = FIXTURES / "programs.json"
MODELS = {
    "pytorch": "exporters",
    "older-exporter": "exporters",
    "channels-first": "exporters",
    "time-first": "exporters",
    "states": "exporters",
    "several-inputs": "exporters",
    "missing-values": "exporters",
    "fixed-length": "exporters",
    "lightning": "exporters",
    "keras": "tensorflow",
    "tensorflow": "tensorflow",
    "scikit-learn": "exporters",
    "lightgbm": "exporters",
}
"""The snippets that export a model, and the peer that can run each."""
MODEL, WEIGHTS, SCHEMA = "model.onnx", "model.onnx.data", "schema.json"


def digest(named: Mapping[str, Snippet], name: str) -> str:
    """Returns the digest of the program that makes a model."""
    return hashlib.sha256(program(named, name).encode()).hexdigest()


def run(named: Mapping[str, Snippet], name: str, folder: Path) -> None:
    """Runs the program of a snippet in a folder. Raises CalledProcessError if it fails."""
    (folder / "program.py").write_text(program(named, name))
    command = [str(ensure(MODELS[name])), "-W", "ignore", "program.py"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)


def keep(folder: Path, target: Path) -> None:
    """Copies the files of the model, without what the exporter wrote about the machine it ran on."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    model = onnx.load(folder / MODEL, load_external_data=False)
    scrub(model)
    (target / MODEL).write_bytes(model.SerializeToString(deterministic=True))
    weights = any(uses_external_data(tensor) for tensor in model.graph.initializer)
    for name in (SCHEMA, *([WEIGHTS] if weights else [])):
        if (folder / name).exists():
            shutil.copy(folder / name, target)


def scrub(model: onnx.ModelProto) -> None:
    """Removes source paths and stack traces. Tensors stay as they are, including those in another file."""
    del model.metadata_props[:]
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        del graph.value_info[:]
        parts: list[Any] = [graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
        for part in parts:
            part.doc_string = ""
            del part.metadata_props[:]
        for attribute in (each for node in graph.node for each in node.attribute):
            graphs.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)


def main() -> None:
    """Exports the models that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help=f"which models: {', '.join(MODELS)}; all of them if none is named"
    )
    chosen = parser.parse_args().names or list(MODELS)
    if unknown := set(chosen) - MODELS.keys():
        parser.error(f"the page exports no model called {', '.join(sorted(unknown))}")
    named = snippets(PAGE.read_text())
    known = json.loads(PROGRAMS.read_text()) if PROGRAMS.exists() else {}
    for name in chosen:
        with TemporaryDirectory() as scratch:
            run(named, name, Path(scratch))
            keep(Path(scratch), FIXTURES / name)
        known[name] = digest(named, name)
        print(name, sum(file.stat().st_size for file in (FIXTURES / name).iterdir()), "bytes")
    PROGRAMS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
