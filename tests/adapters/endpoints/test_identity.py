"""Which model it is that an endpoint serves: what changes its digest, and what makes it one that cannot change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sequela.adapters.endpoints.remote_model import RemoteModelSource
from sequela.adapters.endpoints.transport import Description, OutputSignature
from sequela.adapters.model_io.signature import InputSignature
from sequela.explain.schema import Dtype

SOURCE = RemoteModelSource("grpc://host:8001/m", "2", "git-7", b"{}", "m/1/endpoint.toml", "m/1/schema.json")
EVENTS = InputSignature("events", Dtype.FLOAT32, "float32", (None, None, 3))
SCORE = OutputSignature("score", (None, 1))
SAID = Description((EVENTS,), (SCORE,), ("1", "2"), "onnxruntime_onnx", 64)

OTHER_SOURCES = {
    "host": replace(SOURCE, uri="grpc://other:8001/m"),
    "model": replace(SOURCE, uri="grpc://host:8001/n"),
    "version": replace(SOURCE, version="1"),
    "revision": replace(SOURCE, revision="git-8"),
    "schema": replace(SOURCE, schema_json=b"{ }"),
}
OTHER_DESCRIPTIONS = {
    "input name": replace(SAID, inputs=(replace(EVENTS, name="x"),)),
    "input type": replace(SAID, inputs=(replace(EVENTS, dtype=Dtype.FLOAT64, numpy_type="float64"),)),
    "input width": replace(SAID, inputs=(replace(EVENTS, axes=(None, None, 4)),)),
    "one more input": replace(SAID, inputs=(EVENTS, replace(EVENTS, name="more"))),
    "output name": replace(SAID, outputs=(replace(SCORE, name="y"),)),
    "output width": replace(SAID, outputs=(replace(SCORE, axes=(None, 2)),)),
    "one more output": replace(SAID, outputs=(SCORE, replace(SCORE, name="more"))),
    "platform": replace(SAID, platform="tensorrt_plan"),
}


@pytest.mark.parametrize("fact", OTHER_SOURCES)
def test_what_the_operator_says(fact: str) -> None:
    """Any other word of it is another model."""
    assert OTHER_SOURCES[fact].digest(SAID) != SOURCE.digest(SAID)


@pytest.mark.parametrize("fact", OTHER_DESCRIPTIONS)
def test_what_the_endpoint_says(fact: str) -> None:
    """Any other tensor or platform is another model."""
    assert SOURCE.digest(OTHER_DESCRIPTIONS[fact]) != SOURCE.digest(SAID)


def test_what_does_not_matter() -> None:
    """Neither where things are written, nor how many rows a call may have; twice the same is the same."""
    moved = replace(SOURCE, uri_path="n/1/endpoint.toml", schema_path="n/1/schema.json")
    assert moved.digest(replace(SAID, max_rows=None)) == SOURCE.digest(SAID)
    assert len(SOURCE.digest(SAID)) == 64


def test_versions_matter_to_what_is_not_pinned() -> None:
    """Which others there are does not matter to a version that is served, nor under a revision; else it does."""
    more = replace(SAID, versions=("1", "2", "3"))
    for pinned in (SOURCE, replace(SOURCE, revision=""), replace(SOURCE, version="")):
        assert pinned.digest(more) == pinned.digest(SAID)
    free = replace(SOURCE, version="", revision="")
    assert free.digest(more) != free.digest(SAID)


@pytest.mark.parametrize(
    ("version", "revision", "versions", "pinned"),
    [
        ("2", "", ("1", "2"), True),
        ("3", "", ("1", "2"), False),  # the server takes any version for what it has
        ("2", "", (), False),
        ("", "", ("1",), False),
        ("", "", (), False),
        ("", "", ("",), False),  # a server that lists an empty one pins nothing
        ("", "git-7", (), True),
        ("3", "git-7", ("1",), True),
    ],
)
def test_what_pins_a_model(version: str, revision: str, versions: tuple[str, ...], pinned: bool) -> None:
    """A version that the endpoint lists, or the operator's revision."""
    source = replace(SOURCE, version=version, revision=revision)
    assert source.is_pinned(replace(SAID, versions=versions)) is pinned
