"""A model's metadata, as a message and as JSON."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from sequela.oip.metadata import (
    ModelMetadata,
    TensorMetadata,
    json_metadata,
    model_mismatch,
    read_metadata,
    version_missing,
    write_metadata,
)
from sequela_proto.inference import open_inference_pb2 as pb

TEXTS = st.text(max_size=4)
TENSORS = st.lists(
    st.builds(TensorMetadata, TEXTS, TEXTS, st.lists(st.integers(-1, 2**63 - 1), max_size=3).map(tuple)),
    max_size=2,
).map(tuple)
METADATA = st.builds(ModelMetadata, TEXTS, st.lists(TEXTS, max_size=3).map(tuple), TEXTS, TENSORS, TENSORS)


@given(METADATA)
def test_round_trip(metadata: ModelMetadata) -> None:
    """A message and JSON hold the same, and are read as what was written."""
    message = write_metadata(metadata)
    assert read_metadata(message) == metadata
    assert json_format.ParseDict(json_metadata(metadata), pb.ModelMetadataResponse()) == message


@pytest.mark.parametrize(
    ("asked", "given", "words"),
    [
        (("m", "1"), ("m", "1"), ""),
        (("m", "1"), ("", ""), ""),
        (("m", ""), ("m", "7"), ""),
        (("m", "1"), ("other", "1"), "'other'"),
        (("m", "1"), ("m", "2"), "is from version '2', not '1'"),
    ],
)
def test_answers_of_another_model(asked: tuple[str, str], given: tuple[str, str], words: str) -> None:
    """Are told from those that do not say, and those that are right."""
    found = model_mismatch(*asked, *given)
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("version", "versions", "words"),
    [("2", ["1", "2"], ""), ("2", [], ""), ("", ["1"], ""), ("2", ["1", "3"], "'1', '3'")],
)
def test_versions(version: str, versions: list[str], words: str) -> None:
    """One that is not listed is told, with those that are."""
    found = version_missing(version, versions)
    assert words in found
    assert bool(found) == bool(words)
