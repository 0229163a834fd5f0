"""Generates `proto/python/sequela_proto` from the protos. With --check, it reports whether the code is up to date.

The import path is mapped (`-Isequela_proto=proto/sequela`), so that the stubs import `sequela_proto.v1` while the
package in messages stays `sequela.v1`, and no generated file has to be edited. The same holds for
`sequela_proto.inference` and `sequela_proto.onnx_weights`.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "proto" / "python"
PROTO = ROOT / "proto"
# Folders with protos, by the package that is generated from them.
SOURCES = {
    "sequela_proto/v1": PROTO / "sequela" / "v1",
    "sequela_proto/inference": PROTO / "inference",
    "sequela_proto/onnx_weights": PROTO / "sequela" / "onnx_weights" / "v1",
}
# The generator is older than the installed protobuf and grpcio: see the group protoc in pyproject.toml.
PROTOC = Path(sys.prefix) / "protoc"
PACKAGES = ("sequela_proto", *SOURCES)


def generate(output: Path) -> None:
    """Writes the generated packages to `output`. Raises SystemExit if protoc fails."""
    names = [
        f"{package}/{source.name}"
        for package, folder in SOURCES.items()
        for source in sorted(folder.glob("*.proto"))
    ]
    plugins = Path(sys.executable).parent
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        *(f"-I{package}={folder}" for package, folder in SOURCES.items()),
        f"-I{PROTOC / 'grpc_tools' / '_proto'}",
        f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
        f"--python_out={output}",
        f"--grpc_python_out={output}",
        f"--mypy_out={output}",
        f"--mypy_grpc_out={output}",
        *names,
    ]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(PROTOC)}, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    for package in PACKAGES:
        (output / package / "__init__.py").write_text('"""Generated from proto/: never edited."""\n')
    (output / "sequela_proto" / "py.typed").write_text("")


def stale(output: Path) -> list[str]:
    """Returns the generated files that differ from those in the repository, including missing and surplus ones."""
    fresh = {path.relative_to(output) for path in output.rglob("*") if path.is_file()}
    committed = {
        path.relative_to(OUTPUT)
        for path in OUTPUT.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    same = {name for name in fresh & committed if filecmp.cmp(output / name, OUTPUT / name, shallow=False)}
    return sorted(str(name) for name in (fresh | committed) - same)


def main() -> None:
    """Generates the code, or checks it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the generated code is out of date"
    )
    if not parser.parse_args().check:
        generate(OUTPUT)
        return
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        if names := stale(Path(scratch)):
            raise SystemExit("the generated code is out of date, run `make proto`: " + ", ".join(names))


if __name__ == "__main__":
    main()
