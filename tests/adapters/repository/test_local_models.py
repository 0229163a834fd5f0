"""The operator's models: found by name, loaded in the background, told apart from what else lies about."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from adapters.repository.replicas import (
    ONE_HOT,
    SCHEMA,
    SlowLoader,
    operators_models,
    put,
    repository,
    small,
    width,
)
from digests import digest_of
from sequela.adapters.endpoints.registry import EndpointRegistry, EndpointRules
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.model_repository import ModelRepository
from sequela.adapters.repository.operator_models import OperatorModels
from sequela.adapters.repository.uploads import Uploads
from sequela.adapters.store.sqlite.store import memory_store
from sequela.concurrency.deadline import Deadline
from sequela.errors import (
    DoesNotFit,
    InvalidInput,
    Unavailable,
)
from sequela.explain.ports import ModelSource, ModelState, Observers
from sequela.explain.request import NamedModel
from waiting import eventually


def test_configured_models_are_found_by_name(tmp_path: Path) -> None:
    """In every form of the name; without a version the highest counts, as a number."""
    for version in (2, 9, 10):
        put(tmp_path, "fraud", str(version), small(version))
    models = repository(tmp_path)
    assert operators_models(tmp_path).ready()
    for name in ("fraud", "models/fraud", "fraud/10", "models/fraud/versions/10"):
        model = models.resolve(NamedModel(name))
        assert (model.info.name, width(model)) == ("models/fraud/versions/10", 10)
    assert width(models.resolve(NamedModel("fraud/2"))) == 2
    record = models.get("fraud/9")
    assert (record.state, record.source, record.digest) == (
        ModelState.READY,
        ModelSource.REPOSITORY,
        digest_of(small(9)),
    )


def test_a_schema_beside_the_model_counts(tmp_path: Path) -> None:
    """It names the features, and the digest covers it."""
    put(tmp_path, "m", "1", ONE_HOT, SCHEMA)
    model = repository(tmp_path).resolve(NamedModel("m"))
    assert [feature.name for feature in model.info.schema.features] == ["amount", "channel", "place"]
    assert model.info.digest == digest_of(ONE_HOT, SCHEMA)
    assert model.info.default_background is not None


def test_one_failing_model_stops_no_other(tmp_path: Path) -> None:
    """It keeps its reason, the others work, and the server is not ready."""
    put(tmp_path, "bad", "1", b"no model")
    put(tmp_path, "good", "1", small(3))
    (tmp_path / "empty" / "1").mkdir(parents=True)
    put(tmp_path, "misfit", "1", small(3), SCHEMA)
    models = repository(tmp_path)
    assert width(models.resolve(NamedModel("good"))) == 3
    assert models.get("bad").state is ModelState.FAILED
    assert "bad/1/model.onnx: its 8 bytes are not an ONNX model" in models.get("bad").detail
    assert (
        models.get("empty").detail
        == "empty/1: contains neither model.onnx nor endpoint.toml; add one of them"
    )
    assert (
        "misfit/1/schema.json: inputs: the model's input 'x' (n, l, 3) is missing"
        in models.get("misfit").detail
    )
    assert str(tmp_path) not in "".join(record.detail for record in models.list(50, "").items)
    with pytest.raises(DoesNotFit, match="not an ONNX model") as caught:
        models.resolve(NamedModel("bad"))
    assert caught.value.reason == "MODEL_NOT_LOADED"
    assert not operators_models(tmp_path).ready()


def test_models_are_loaded_in_the_background(tmp_path: Path) -> None:
    """While one is LOADING callers are told to come back, and the server is not ready."""
    put(tmp_path, "m", "1", small(3))
    loader = SlowLoader()
    endpoint_registry = EndpointRegistry(EndpointRules(), loader.limits, Observers([]))
    configured = OperatorModels.in_folder(tmp_path, loader, endpoint_registry)
    models = ModelRepository(
        configured, Uploads(memory_store()), ModelCache(Observers([])), loader, endpoint_registry
    )
    assert models.get("m").state is ModelState.LOADING
    configured.start()
    with pytest.raises(Unavailable) as caught:
        models.resolve(NamedModel("m"))
    assert (caught.value.reason, caught.value.retry_after) == ("MODEL_LOADING", 1.0)
    assert not configured.ready()
    loader.go.set()
    configured.wait()
    assert configured.ready()
    assert width(models.resolve(NamedModel("m"))) == 3


def test_other_folders_are_nobodys_models(tmp_path: Path) -> None:
    """Files, hidden folders and folders that are no version are passed over; no root is no model."""
    put(tmp_path, "m", "1", small(3))
    put(tmp_path, ".hidden", "1", small(3))
    put(tmp_path, "m", "latest", small(3))
    put(tmp_path, "m", "01", small(3))
    put(tmp_path, "a b", "1", small(3))
    (tmp_path / "README.md").write_text("notes")
    assert [record.name for record in repository(tmp_path).list(50, "").items] == ["models/m/versions/1"]
    assert operators_models().ready()


BAD_NAMES = [
    "..",
    ".",
    "../../etc/passwd",
    "models/..",
    "models/../versions/1",
    "m/../1",
    "m/latest",
    "m/01",
    "m/-1",
    "m/1/2",
    "models/m/versions/",
    "models/m/v/1",
    "",
    "a b",
    "m\n",
    "ä",
    "m" * 129,
    "m\0",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused(name: str, tmp_path: Path) -> None:
    """No way out of the repository, no odd characters, no version that is not a whole number."""
    models = repository(tmp_path)
    doors: list[tuple[str, Callable[[], object]]] = [
        ("model.name", lambda: models.resolve(NamedModel(name))),
        ("name", lambda: models.get(name)),
        ("name", lambda: models.delete(name)),
    ]
    if name:  # an empty one is the digest's
        doors.append(("header.name", lambda: models.register(name, small(3), b"")))
    for field, door in doors:
        with pytest.raises(InvalidInput) as caught:
            door()
        assert caught.value.reason == "NAME_INVALID"
        assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize("name", ["m", "m" * 128, "a.b-c_D9", "..m", "models"])
def test_good_names_are_taken(name: str) -> None:
    """Letters, digits, `.`, `_` and `-`, up to 128."""
    models = repository()
    assert models.register(name, small(3), b"").name == f"models/{name}/versions/1"
    assert width(models.resolve(NamedModel(f"models/{name}"))) == 3


class OneSlowLoader(Loader):
    """A loader that does not get done with the model `slow`."""

    go = threading.Event()

    def load(self, name: str, source: ModelBytes, deadline: Deadline | None = None) -> OnnxModel:
        if "slow" in name:
            assert self.go.wait(30)
        return super().load(name, source, deadline)


def test_a_slow_model_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    """The first by name takes long: all others are ready meanwhile, and it comes last."""
    for name in ("a_slow", *"bcdefg"):
        put(tmp_path, name, "1", small(2))
    loader = OneSlowLoader()
    configured = OperatorModels.in_folder(
        tmp_path, loader, EndpointRegistry(EndpointRules(), loader.limits, Observers([]))
    )
    configured.start()
    eventually(lambda: len(configured.unready()) == 1)
    assert configured.unready()[0].name == "models/a_slow/versions/1"
    loader.go.set()
    configured.wait()
    assert configured.ready()


@pytest.mark.parametrize("file", ["model.onnx", "schema.json", "endpoint.toml"])
def test_endless_files_are_read_with_a_limit(tmp_path: Path, file: str) -> None:
    """A link to a device, to a pipe, or to a file beyond the limit fails that model, and no other."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    large = tmp_path / "large"
    with large.open("wb") as content:
        content.truncate(Loader().limits.max_model_bytes + 1)
    root = tmp_path / "models"
    for name, target in {"device": Path("/dev/zero"), "pipe": pipe, "large": large}.items():
        put(root, name, "1", small(2))
        if file == "endpoint.toml":
            (root / name / "1" / "model.onnx").unlink()
        (root / name / "1" / file).unlink(missing_ok=True)
        (root / name / "1" / file).symlink_to(target)
    put(root, "good", "1", small(2))
    records = {name.model: record for name, record in operators_models(root).records().items()}
    assert records["good"].state is ModelState.READY
    for name in ("device", "pipe", "large"):
        assert records[name].state is ModelState.FAILED
        assert f"{name}/1/{file}" in records[name].detail
