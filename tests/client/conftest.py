"""A scripted server for faults and counts. What the numbers mean is tested against the real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import Script, serving
from sequela_client import Sequela


@pytest.fixture
def script() -> Script:
    """What the scripted server knows and was sent."""
    return Script()


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    """Where the scripted server listens."""
    with serving(script) as where:
        yield where


@pytest.fixture
def client(address: str) -> Iterator[Sequela]:
    """A blocking client of the scripted server."""
    with Sequela(address, timeout=10) as sequela:
        yield sequela


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A file that the scripted server takes for a model."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"onnx" * 1000)
    return path
