"""The model repository changes while the server runs: what is added, removed, changed or broken, and what stays."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from adapters.repository.replicas import put, small, width
from sequela.adapters.endpoints.registry import EndpointRegistry, EndpointRules
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository import folder_trial
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.model_repository import ModelRepository
from sequela.adapters.repository.operator_models import OperatorModels, RepositoryRules
from sequela.adapters.repository.repository_content import RepositoryContent
from sequela.adapters.repository.repository_watch import RepositoryWatch
from sequela.adapters.repository.uploads import Uploads
from sequela.adapters.store.sqlite.store import memory_store
from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineExit, EngineLost, ExitReason
from sequela.errors import InvalidInput, NotFound, Unavailable
from sequela.explain.ports import ModelRecord, ModelState, Observers
from sequela.explain.request import NamedModel
from waiting import eventually


class Watched:
    """A repository that is read when the test says so."""

    def __init__(self, root: Path, all_required: bool = True, loader: Loader | None = None) -> None:
        loader = loader or Loader()
        endpoints = EndpointRegistry(EndpointRules(), loader.limits, Observers([]))
        rules = RepositoryRules(interval_seconds=3600.0, all_required=all_required)
        self.configured = OperatorModels.in_folder(root, loader, endpoints, rules=rules)
        cache = ModelCache(Observers([]))
        self.models = ModelRepository(self.configured, Uploads(memory_store()), cache, loader, endpoints)
        self.configured.start()
        self.configured.wait()

    @property
    def watch(self) -> RepositoryWatch:
        assert self.configured._watch
        return self.configured._watch

    def look(self, times: int = 2) -> None:
        """Reads the repository, by default as often as a change needs to count, and waits until all is loaded."""
        for _ in range(times):
            self.watch.look()
        self.settle()

    def settle(self) -> None:
        """Waits until all is loaded."""
        eventually(lambda: not self.configured._models._pending)

    def record(self, name: str) -> ModelRecord:
        return self.models.get(name)

    def width(self, name: str = "m") -> int:
        return width(self.models.resolve(NamedModel(name)))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """One model, `m/1`, with one column."""
    put(tmp_path, "m", "1", small(1))
    made = Watched(tmp_path)
    assert made.configured.ready()
    yield made
    made.configured.stop()


def test_new_models_and_versions_are_loaded(watched: Watched, tmp_path: Path) -> None:
    """The new version is the highest one, and takes over; the earlier one can still be named."""
    put(tmp_path, "m", "2", small(2))
    put(tmp_path, "other", "7", small(3))
    watched.look()
    assert [watched.width(name) for name in ("m", "m/1", "m/2", "other")] == [2, 1, 2, 3]
    assert watched.configured.ready()


def test_a_change_counts_when_two_readings_agree(watched: Watched, tmp_path: Path) -> None:
    """So that files which are just being copied are not loaded, and a folder may be replaced by moving it away."""
    put(tmp_path, "m", "2", b"half a")
    watched.look(1)
    (tmp_path / "m" / "2" / "model.onnx").write_bytes(small(2))
    (tmp_path / "m" / "1").rename(tmp_path / "away")
    watched.look(1)
    assert [each.name for each in watched.models.list(9, "").items] == ["models/m/versions/1"]
    (tmp_path / "away").rename(tmp_path / "m" / "1")
    watched.look(1)
    watched.look(1)
    assert (watched.width("m/1"), watched.width("m/2")) == (1, 2)
    assert watched.configured.unready() == []


def test_a_removed_version_gives_way_to_the_one_before(watched: Watched, tmp_path: Path) -> None:
    """A removed model is not found any more; while requests use it, it can be run by its full name."""
    put(tmp_path, "m", "2", small(2))
    watched.look()
    in_use = watched.models.configured(NamedModel("m"))
    assert in_use
    assert in_use.name == "models/m/versions/2"
    shutil.rmtree(tmp_path / "m" / "2")
    watched.look()
    assert watched.width("m") == 1
    with pytest.raises(NotFound):
        watched.record("m/2")
    assert watched.width(in_use.name) == 2
    del in_use
    watched.look(1)
    with pytest.raises(NotFound):
        watched.width("m/2")


def test_a_removed_version_is_let_go_although_an_error_refers_to_it(watched: Watched, tmp_path: Path) -> None:
    """Errors and the frames that they passed may refer to each other, which only Python's collection of cycles ends."""
    put(tmp_path, "m", "2", small(2))
    watched.look()
    cycle: list[object] = [watched.record("m/2")]
    cycle.append(cycle)
    gc.disable()
    try:
        del cycle
        shutil.rmtree(tmp_path / "m" / "2")
        watched.look(3)
        assert watched.configured._models._leaving == []
    finally:
        gc.enable()


def test_a_changed_file_is_loaded_again(watched: Watched, tmp_path: Path) -> None:
    """The same content under a new date is the same model, with the same record."""
    file = tmp_path / "m" / "1" / "model.onnx"
    before = watched.record("m")
    file.write_bytes(small(1))
    watched.look()
    assert watched.record("m") is before
    file.write_bytes(small(4))
    watched.look()
    assert watched.width() == 4
    (tmp_path / "m" / "1" / "schema.json").write_text('{"features": 5}')
    watched.look()
    assert watched.width() == 4


def test_a_broken_version_takes_nothing_away(watched: Watched, tmp_path: Path) -> None:
    """It is named with its reason; the earlier version answers, the server stays ready, and removing it ends that."""
    put(tmp_path, "m", "2", b"no model")
    watched.look()
    assert watched.record("m/2").state is ModelState.FAILED
    assert watched.width("m") == 1
    assert watched.configured.ready()
    assert [each.name for each in watched.configured.unready()] == ["models/m/versions/2"]
    shutil.rmtree(tmp_path / "m" / "2")
    watched.look()
    assert watched.configured.unready() == []


def test_changed_files_that_are_broken_are_not_used(watched: Watched, tmp_path: Path) -> None:
    """The earlier model stays in use, with a note, until the files are mended."""
    file = tmp_path / "m" / "1" / "model.onnx"
    file.write_bytes(b"no model")
    watched.look()
    assert watched.width() == 1
    (note,) = watched.configured.notes()
    assert note.startswith(
        "models/m/versions/1: its changed files cannot be used, so the earlier ones stay in use: m/1/model.onnx: its 8"
    )
    file.write_bytes(small(2))
    watched.look()
    assert watched.configured.notes() == []
    assert watched.width() == 2


def test_a_mended_model_makes_the_server_ready(tmp_path: Path) -> None:
    """Without a restart."""
    put(tmp_path, "m", "1", b"no model")
    watched = Watched(tmp_path)
    assert not watched.configured.ready()
    (tmp_path / "m" / "1" / "model.onnx").write_bytes(small(2))
    watched.look()
    assert watched.configured.ready()
    assert watched.width() == 2


def test_a_version_that_is_copied_under_a_hidden_name_counts_once_renamed(
    watched: Watched, tmp_path: Path
) -> None:
    """However long the copy takes, nobody sees half of it."""
    put(tmp_path, "m", ".2", b"half of a mod")
    watched.look()
    assert watched.width() == 1
    assert watched.configured.notes() == []
    (tmp_path / "m" / ".2" / "model.onnx").write_bytes(small(2))
    (tmp_path / "m" / ".2").rename(tmp_path / "m" / "2")
    watched.look()
    assert watched.width() == 2


def test_a_server_without_any_model_is_not_ready(tmp_path: Path) -> None:
    """Until one is added, since the folder may be a volume that is not mounted."""
    watched = Watched(tmp_path)
    assert not watched.configured.ready()
    assert watched.configured.lacks_models()
    put(tmp_path, "m", "1", small(1))
    watched.look()
    assert watched.configured.ready()
    assert not watched.configured.lacks_models()


@pytest.mark.parametrize(("models", "ready"), [({"good", "bad"}, True), ({"bad"}, False), (set(), True)])
def test_a_broken_model_may_be_left_out_of_account(tmp_path: Path, models: set[str], ready: bool) -> None:
    """With --no-require-all-models one usable model is enough; a server that has nothing to offer is not ready."""
    for name in models:
        put(tmp_path, name, "1", small(1) if name == "good" else b"no model")
    watched = Watched(tmp_path, all_required=False)
    assert watched.configured.ready() is ready
    assert {each.name for each in watched.configured.unready()} == {"models/bad/versions/1"} & {
        f"models/{name}/versions/1" for name in models
    }


def test_a_volume_that_is_gone_removes_no_model(watched: Watched, tmp_path: Path) -> None:
    """An empty folder, or none at all, looks the same as a volume that is not mounted: a note, and nothing changes."""
    (tmp_path / "m").rename(tmp_path.with_name("elsewhere"))
    watched.look()
    assert watched.width() == 1
    assert watched.configured.notes() == [
        "model repository: it is empty, so its models stay in use as they are; restart the server if this is intended"
    ]
    tmp_path.rmdir()
    watched.look()
    assert watched.configured.notes()[0].startswith("model repository: it cannot be read: No such file")
    tmp_path.mkdir()
    (tmp_path.with_name("elsewhere")).rename(tmp_path / "m")
    watched.look()
    assert watched.configured.notes() == []


def test_what_is_misspelt_later_is_noted_too(watched: Watched, tmp_path: Path) -> None:
    """And no longer once it is gone."""
    (tmp_path / "m" / "latest").mkdir()
    (tmp_path / "m" / "latest" / "model.onnx").write_bytes(small(2))
    watched.look()
    (note,) = watched.configured.notes()
    assert note.startswith("model repository: m/latest/ is ignored: a version folder must be a whole number")
    shutil.rmtree(tmp_path / "m" / "latest")
    watched.look()
    assert watched.configured.notes() == []


def test_endpoints_come_and_go(watched: Watched, tmp_path: Path) -> None:
    """A folder may even change from one kind to the other."""
    folder = tmp_path / "away" / "1"
    folder.mkdir(parents=True)
    (folder / "endpoint.toml").write_text('uri = "grpc://127.0.0.1:1/m"')
    watched.look()
    assert "models/away/versions/1 LOADING" in watched.configured.notes()[0]
    (folder / "endpoint.toml").unlink()
    (folder / "model.onnx").write_bytes(small(2))
    watched.look()
    assert watched.width("away") == 2
    assert watched.configured.notes() == []
    (folder / "model.onnx").unlink()
    (folder / "endpoint.toml").write_text('uri = "grpc://127.0.0.1:1/m"')
    watched.look()
    assert watched.record("away").state is ModelState.LOADING
    shutil.rmtree(tmp_path / "away")
    watched.look()
    with pytest.raises(NotFound):
        watched.record("away")


class FaultyLoader(Loader):
    """A loader that raises an error until the test takes it away."""

    errors: dict[str, Exception]

    def __init__(self, **errors: Exception) -> None:
        super().__init__()
        object.__setattr__(self, "errors", errors)

    def load(self, name: str, source: ModelBytes, deadline: Deadline | None = None) -> OnnxModel:
        if error := self.errors.get("error"):
            raise error
        return super().load(name, source, deadline)


def lost(reason: ExitReason) -> EngineLost:
    return EngineLost(EngineExit(reason, "ended"))


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (OSError(5, "Input/output error"), True),
        (lost(ExitReason.KILLED), True),
        (lost(ExitReason.HOST_MEMORY), True),
        (Unavailable("NO_ENGINE", "no process is up"), True),
        (lost(ExitReason.CRASHED), False),
        (InvalidInput("MODEL_INVALID", "no model"), False),
    ],
)
def test_a_failure_that_may_pass_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, retried: bool
) -> None:
    """With the same files, at a later reading; what the model itself causes waits until its files change."""
    monkeypatch.setattr(folder_trial, "RETRY_SECONDS", 0.0)
    put(tmp_path, "m", "1", small(1))
    loader = FaultyLoader(error=error)
    watched = Watched(tmp_path, loader=loader)
    assert watched.record("m").state is ModelState.FAILED
    watched.look()
    assert watched.record("m").state is ModelState.FAILED
    loader.errors.clear()
    watched.look()
    assert watched.record("m").state is (ModelState.READY if retried else ModelState.FAILED)
    assert watched.configured.ready() is retried


def test_changed_files_that_were_away_are_tried_again(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume disappears between a reading and the trial, and comes back with the same files."""
    monkeypatch.setattr(folder_trial, "RETRY_SECONDS", 0.0)
    file, away = tmp_path / "m" / "1" / "model.onnx", tmp_path.with_name("away.onnx")
    file.write_bytes(small(2))
    watched.look(1)
    reading = RepositoryContent.of(tmp_path)
    file.rename(away)
    watched.configured.update(reading)
    watched.settle()
    assert watched.width() == 1
    assert "contains neither" in watched.configured.notes()[0]
    away.rename(file)
    watched.configured.update(reading)
    watched.settle()
    assert watched.width() == 2
    assert watched.configured.notes() == []


def test_a_failure_is_not_tried_again_at_once(tmp_path: Path) -> None:
    """Else every reading would load a large model in vain."""
    put(tmp_path, "m", "1", small(1))
    loader = FaultyLoader(error=OSError(5, "Input/output error"))
    watched = Watched(tmp_path, loader=loader)
    loader.errors.clear()
    watched.look()
    assert watched.record("m").state is ModelState.FAILED
