"""The AReM model that stands beside its schema and split, and the recordings where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter
from sequela.explain.schema import ModelSchema

from benchmarks.arem import data
from benchmarks.arem.held_out import FIXTURES, MODEL, held_out
from benchmarks.peers.scorer import Scorer

SIZE_LIMIT = 200_000  # bytes


def test_the_model_takes_any_batch_and_length() -> None:
    """One small file that scores any number of sequences of any length, each for itself."""
    assert MODEL.stat().st_size < SIZE_LIMIT
    score = Scorer(str(MODEL))
    x = np.random.default_rng(0).normal(size=(3, 50, 6))
    alone = [score(one[np.newaxis])[0] for one in x]
    np.testing.assert_allclose(score(x), alone, atol=1e-6)
    assert score(x[:1, -1:]).shape == (1, 1)


def test_the_schema_names_what_the_split_was_standardised_with() -> None:
    """Display scaling and default background are those of the trained recordings."""
    split = json.loads((FIXTURES / "arem_split.json").read_text())
    schema = TypeAdapter(ModelSchema).validate_json((FIXTURES / "schema.json").read_text())
    assert [feature.name for feature in schema.features] == list(data.FEATURES)
    assert [feature.display.mean for feature in schema.features] == pytest.approx(split["mean"], abs=1e-5)
    assert [feature.display.scale for feature in schema.features] == pytest.approx(split["scale"], abs=1e-5)
    assert schema.background is not None
    assert list(schema.background["x"]) == split["background"]


def test_a_trained_recording_is_not_held_out() -> None:
    """Asking for a recording the model was trained on is refused by name."""
    with pytest.raises(ValueError, match="cycling/15 is not held out"):
        held_out("cycling/15")


def test_recordings_read_whole() -> None:
    """All 75: files with a comma at the end of lines, and the one that is a step short."""
    try:
        recordings = {recording.name: recording.values for recording in data.read_all()}
    except data.AremNotFound as missing:
        pytest.skip(str(missing))
    assert len(recordings) == 75
    assert {name for name, values in recordings.items() if values.shape != (480, 6)} == {"sitting/8"}
    assert recordings["sitting/8"].shape == (479, 6)
    np.testing.assert_array_equal(recordings["cycling/1"][0], [32.0, 4.85, 17.5, 3.35, 22.5, 3.2])
    assert np.isfinite(recordings["cycling/9"]).all()


def test_missing_recordings_say_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the recordings the error names the variable that points to them."""
    monkeypatch.setenv("SEQUELA_SHARED", str(tmp_path))
    with pytest.raises(data.AremNotFound, match="SEQUELA_SHARED"):
        data.folder()
