"""The models of an engine, while their folders come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from adapters.repository.replicas import put, small
from digests import digest_of
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.repository.model_runners import VersionFolder
from sequela.model_engines import model_set
from sequela.model_engines.model_set import ModelSet

DIGEST = digest_of(small(2))


def version(root: Path, number: int) -> VersionFolder:
    return VersionFolder(f"models/m/versions/{number}", root / "m" / str(number), DIGEST)


def test_a_folder_that_is_back_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that starts while the volume is away has nothing; it loads the model when one needs it later."""
    monkeypatch.setattr(model_set, "RETRY_SECONDS", 0.0)
    models = ModelSet(Loader())
    models.hold([version(tmp_path, 1)])
    assert models.absent == (DIGEST,)
    assert models.get(DIGEST) is None
    put(tmp_path, "m", "1", small(2))
    assert models.get(DIGEST) is not None
    assert models.absent == ()


def test_other_files_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is back, with another model."""
    monkeypatch.setattr(model_set, "RETRY_SECONDS", 0.0)
    models = ModelSet(Loader())
    models.hold([version(tmp_path, 1)])
    put(tmp_path, "m", "1", small(3))
    assert models.get(DIGEST) is None


def test_a_model_that_cannot_be_loaded_is_left_alone_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that not every request reads its files."""
    monkeypatch.setattr(model_set, "RETRY_SECONDS", 3600.0)
    models = ModelSet(Loader())
    models.hold([version(tmp_path, 1)])
    put(tmp_path, "m", "1", small(2))
    assert models.get(DIGEST) is None


@pytest.mark.parametrize("spoilt", [1, 2])
def test_a_copy_of_a_version_takes_its_place(tmp_path: Path, spoilt: int) -> None:
    """Two versions have the same content, and the files of one of them, whichever it is, cannot be used any more."""
    for number in (1, 2):
        put(tmp_path, "m", str(number), small(2))
    (tmp_path / "m" / str(spoilt) / "model.onnx").write_bytes(b"no model")
    models = ModelSet(Loader())
    models.hold([version(tmp_path, 1), version(tmp_path, 2)])
    assert models.digests == (DIGEST,)


def test_a_model_that_is_not_wanted_any_more_is_not_loaded(tmp_path: Path) -> None:
    """Even if its folder is still there."""
    put(tmp_path, "m", "1", small(2))
    models = ModelSet(Loader())
    models.hold([version(tmp_path, 1)])
    shutil.rmtree(tmp_path / "m" / "1")
    assert models.get(DIGEST) is not None
    models.hold([])
    assert models.get(DIGEST) is None
    assert models.absent == ()
