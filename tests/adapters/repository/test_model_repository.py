"""The models that can be explained: the operator's, uploads on every replica, and those sent along."""

from __future__ import annotations

import hashlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from adapters.repository.replicas import (
    GRU,
    ONE_HOT,
    SCHEMA,
    BreakableStore,
    SlowLoader,
    put,
    repository,
    small,
    width,
)
from adapters.store.redis_stores import connected
from adapters.store.store_samples import Heard
from digests import digest_of
from redis_server import RedisServer, redis_server
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.sqlite.store import memory_store
from sequela.concurrency.deadline import Deadline
from sequela.errors import (
    AlreadyExists,
    DoesNotFit,
    Forbidden,
    InvalidInput,
    NotFound,
    SequelaError,
    Unavailable,
)
from sequela.explain.ports import ModelSource, ModelState, Observers, PaddingRows
from sequela.explain.request import DigestedModel, EndpointModel, InlineModel, NamedModel
from sequela.explain.telemetry import CacheLookup, EntrySkipped, Record
from sequela.names import ModelName
from sequela.timeshap.cells import Cells

SCHEMA_OF_GRU = b'{"link": "logit"}'

__all__ = ["redis_server"]


def test_uploads_are_found_by_every_replica() -> None:
    """By name and by digest, with the same schema, digest and time."""
    store = memory_store()
    record = repository(store=store).register("m/7", ONE_HOT, SCHEMA)
    other = repository(store=store)
    digest = digest_of(ONE_HOT, SCHEMA)
    for choice, name in (
        (DigestedModel(digest), f"models/{digest}/versions/1"),
        (NamedModel("m"), "models/m/versions/7"),
        (NamedModel("m/7"), "models/m/versions/7"),
    ):
        model = other.resolve(choice)
        assert model.info.name == name
        assert model.info.digest == digest == record.digest
        assert model.info.schema.features[0].name == "amount"
    found = other.get("m")
    assert (found.create_time, found.state, found.source) == (
        record.create_time,
        ModelState.READY,
        ModelSource.UPLOAD,
    )
    assert other.get(f"models/{record.digest}").name == record.name


def test_registering_again_answers_with_what_is_there() -> None:
    """The same content keeps its version; other content gets the next one; a version never changes."""
    models = repository()
    first = models.register("m", small(3), b"")
    assert models.register("m", small(3), b"").name == first.name == "models/m/versions/1"
    assert models.register("m", small(3), b"").create_time == first.create_time
    assert models.register("m", small(4), b"").name == "models/m/versions/2"
    assert models.register("m/10", small(5), b"").name == "models/m/versions/10"
    assert models.register("m", small(6), b"").name == "models/m/versions/11"
    assert width(models.resolve(NamedModel("m"))) == 6
    assert models.register("m/1", small(3), b"").create_time == first.create_time
    with pytest.raises(AlreadyExists, match=first.digest) as caught:
        models.register("m/1", small(4), b"")
    assert caught.value.reason == "MODEL_VERSION_EXISTS"
    assert width(models.resolve(NamedModel("m/1"))) == 3


def test_uploads_at_once_get_versions_of_their_own() -> None:
    """Six uploads of different models under one name, at once on two replicas, are six versions."""
    store = memory_store()
    replicas = [repository(store=store), repository(store=store)]
    with ThreadPoolExecutor(6) as pool:
        records = list(pool.map(lambda k: replicas[k % 2].register("m", small(k), b""), range(1, 7)))
    assert {record.name for record in records} == {f"models/m/versions/{k}" for k in range(1, 7)}
    for record in records:
        assert replicas[0].resolve(NamedModel(record.name)).info.digest == record.digest


def test_a_model_without_a_name_is_named_by_its_digest() -> None:
    """And found by it."""
    models = repository()
    record = models.register("", small(3), b"")
    assert record.name == f"models/{digest_of(small(3))}/versions/1"
    assert models.get(f"models/{record.digest}").name == record.name
    assert models.resolve(DigestedModel(record.digest)).info.name == record.name


def test_bad_uploads_leave_nothing() -> None:
    """They are refused with the field at fault, and no name is taken."""
    models = repository()
    with pytest.raises(InvalidInput) as caught:
        models.register("m", b"no model", b"")
    assert caught.value.violations[0].field == "onnx_chunk"
    with pytest.raises(InvalidInput) as caught:
        models.register("m", small(3), b'{"inputs": 1}')
    assert caught.value.violations[0].field == "header.schema_json"
    assert models.list(50, "").items == ()


def test_the_operators_names_are_taken(tmp_path: Path) -> None:
    """No upload takes over a configured model, nor deletes it; the same content is answered with what is there."""
    put(tmp_path, "fraud", "1", small(3))
    models = repository(tmp_path)
    for name in ("fraud", "fraud/2"):
        with pytest.raises(AlreadyExists) as caught:
            models.register(name, small(4), b"")
        assert caught.value.reason == "MODEL_NAME_TAKEN"
    assert models.register("fraud", small(3), b"").source is ModelSource.REPOSITORY
    with pytest.raises(Forbidden) as refused:
        models.delete("fraud")
    assert refused.value.reason == "MODEL_OF_REPOSITORY"


def test_deleted_uploads_are_gone_everywhere() -> None:
    """One version, or all of them, by name and by digest; the name may then be used again."""
    store = memory_store()
    models, other = repository(store=store), repository(store=store)
    for k in (3, 4, 5):
        models.register("m", small(k), b"")
    models.delete("m/3")
    assert width(other.resolve(NamedModel("m"))) == 4
    for choice in (NamedModel("m/3"), DigestedModel(digest_of(small(5)))):
        with pytest.raises(NotFound) as caught:
            models.resolve(choice)
        assert caught.value.reason == "MODEL_NOT_FOUND"
    models.delete("models/m")
    assert models.list(50, "").items == ()
    for door in (models.delete, models.get):
        with pytest.raises(NotFound):
            door("m")
    assert models.register("m", small(6), b"").name == "models/m/versions/1"


def test_lists_are_paged(tmp_path: Path) -> None:
    """The operator's models and uploads in one order, versions as numbers; every page as large as asked for."""
    put(tmp_path, "b", "1", small(3))
    models = repository(tmp_path)
    for k in (2, 10):
        models.register(f"c/{k}", small(k), b"")
    models.register("a", small(4), b"")
    names, token, sizes = [], "", []
    while True:
        page = models.list(3, token)
        names += [record.name for record in page.items]
        sizes.append(len(page.items))
        token = page.next_token
        if not token:
            break
    assert names == [
        f"models/{rest}" for rest in ("a/versions/1", "b/versions/1", "c/versions/2", "c/versions/10")
    ]
    assert sizes == [3, 1]
    with pytest.raises(InvalidInput) as caught:
        models.list(3, "nonsense")
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


def test_inline_models_are_kept_by_digest() -> None:
    """The first question sends the bytes, the next only their digest; other replicas do not know it."""
    store = memory_store()
    models = repository(store=store)
    digest = digest_of(ONE_HOT, SCHEMA)
    with pytest.raises(NotFound):
        models.resolve(DigestedModel(digest))
    sent = models.resolve(InlineModel(ONE_HOT, SCHEMA))
    assert (sent.info.digest, sent.info.name) == (digest, f"models/{digest}/versions/1")
    assert models.resolve(DigestedModel(digest)) is sent
    assert models.list(50, "").items == ()
    with pytest.raises(NotFound):
        repository(store=store).resolve(DigestedModel(digest))


def test_two_models_never_share_a_digest() -> None:
    """A file that ends with the text of a schema is another model than the file without it, and that schema beside it.

    The text is one unknown field of protobuf: a line feed, a length of 32, and 32 bytes.
    """
    schema = b"\n " + b'{"link":"logit"}'.ljust(32)
    models = repository()
    joined, apart = models.resolve(InlineModel(GRU + schema)), models.resolve(InlineModel(GRU, schema))
    assert (joined.info.schema.link, apart.info.schema.link) == ("identity", "logit")
    assert (joined.info.digest, apart.info.digest) == (digest_of(GRU + schema), digest_of(GRU, schema))


@pytest.mark.parametrize("name", ["m", "m/1"])
def test_uploads_kept_under_an_older_digest_are_unknown_until_they_come_again(name: str) -> None:
    """Formerly the digest was the SHA-256 of file and schema in one: such an upload is not found, and registering its
    content again makes it known, under the same version too where one is wanted.
    """
    store = memory_store()
    old = hashlib.sha256(GRU + SCHEMA_OF_GRU).hexdigest()
    entry = ModelName("m", 1).entry
    content = len(SCHEMA_OF_GRU).to_bytes(8, "big") + SCHEMA_OF_GRU + GRU
    record = {"digest": old, "create_time": "2026-01-01T00:00:00Z"}
    store.values.put(f"model-bytes:{entry}:{old}", content)
    store.values.put(f"model-name:{entry}", json.dumps(record).encode())
    store.values.put(f"model-digest:{old}", entry.encode())
    store.index.add("models", entry)
    models = repository(store=store)
    for choice in (NamedModel("m"), NamedModel("m/1"), DigestedModel(old)):
        with pytest.raises(NotFound):
            models.resolve(choice)
    again = models.register(name, GRU, SCHEMA_OF_GRU)
    assert again.digest == digest_of(GRU, SCHEMA_OF_GRU)
    assert models.resolve(NamedModel("m")).info.digest == again.digest


def test_inline_errors_name_their_field() -> None:
    """Of the two parts of an inline model, the one at fault."""
    for choice, field in (
        (InlineModel(b"no model"), "model.inline.onnx"),
        (InlineModel(GRU, b"[]"), "model.inline.schema_json"),
    ):
        with pytest.raises(InvalidInput) as caught:
            repository().resolve(choice)
        assert caught.value.violations[0].field == field


def test_configured_models_are_known_by_digest(tmp_path: Path) -> None:
    """Also when the same content is sent along: it is not loaded again."""
    put(tmp_path, "m", "1", small(3))
    models = repository(tmp_path)
    for choice in (DigestedModel(digest_of(small(3))), InlineModel(small(3))):
        assert models.resolve(choice) is models.resolve(NamedModel("m"))


@pytest.mark.parametrize("digest", ["", "0f", "G" * 64, "A" * 64, "0" * 65, "../" * 21 + "a"])
def test_bad_digests_are_refused(digest: str) -> None:
    """A digest is 64 small hexadecimal digits."""
    with pytest.raises(InvalidInput) as caught:
        repository().resolve(DigestedModel(digest))
    assert (caught.value.reason, caught.value.violations[0].field) == ("DIGEST_INVALID", "model.digest")


def test_uploads_can_be_switched_off(tmp_path: Path) -> None:
    """Then neither uploads nor inline models are taken, and the operator's still work."""
    put(tmp_path, "m", "1", small(3))
    models = repository(tmp_path, uploads_allowed=False)
    for door in (lambda: models.register("n", small(4), b""), lambda: models.resolve(InlineModel(small(4)))):
        with pytest.raises(Forbidden) as caught:
            door()
        assert caught.value.reason == "UPLOADS_DISABLED"
    assert width(models.resolve(NamedModel("m"))) == 3


def test_endpoints_are_not_allowed_by_default() -> None:
    """Requests may name none unless the operator says so."""
    with pytest.raises(Forbidden) as caught:
        repository().resolve(EndpointModel("grpc://host:1/m"))
    assert caught.value.reason == "ENDPOINT_NOT_ALLOWED"


def test_a_model_asked_for_by_many_is_loaded_once() -> None:
    """Eight threads send the same model at once: one session, for all of them."""
    loader = SlowLoader()
    models = repository(loader=loader)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(models.resolve, InlineModel(small(3))) for _ in range(8)]
        loader.go.set()
        got = [future.result(30) for future in asked]
    assert len(loader.calls) == 1
    assert len({id(model) for model in got}) == 1


def test_a_failed_load_is_tried_again() -> None:
    """A failure is told to whoever caused it, and is not remembered."""
    cache, tries = ModelCache(Observers([])), []

    def failing(_: Deadline) -> OnnxModel:
        tries.append(1)
        raise DoesNotFit("MODEL_FAILED", "not today")

    for _ in range(2):
        with pytest.raises(SequelaError):
            cache.get("digest", failing, Deadline())
    assert len(tries) == 2


def test_the_cache_is_bounded() -> None:
    """By number and by bytes, the least recently used goes first; a file larger than all of it is run and dropped."""
    heard: list[Record] = []

    class Ear:
        def notice(self, record: Record) -> None:
            heard.append(record)

    by_count = repository(cache=ModelCache(Ear(), max_models=2))
    for k in (3, 4, 3, 5):
        by_count.resolve(InlineModel(small(k)))
    assert width(by_count.resolve(DigestedModel(digest_of(small(3))))) == 3
    with pytest.raises(NotFound):
        by_count.resolve(DigestedModel(digest_of(small(4))))
    assert [r.result for r in heard if isinstance(r, CacheLookup)] == ["miss", "miss", "hit", "miss"]

    by_bytes = repository(cache=ModelCache(Observers([]), max_bytes=len(GRU) + 10))
    assert by_bytes.resolve(InlineModel(GRU))
    by_bytes.resolve(InlineModel(small(3)))
    with pytest.raises(NotFound):
        by_bytes.resolve(DigestedModel(digest_of(GRU)))
    tiny = repository(cache=ModelCache(Observers([]), max_bytes=10))
    assert tiny.resolve(InlineModel(GRU))


def test_known_uploads_are_used_while_the_store_is_down() -> None:
    """What this replica has run stays usable; what it would have to look up is Unavailable, and nothing is lost."""
    breakable = BreakableStore()
    models = repository(store=breakable.store)
    models.register("m", small(3), b"")
    models.resolve(NamedModel("m"))
    breakable.set_down(True)
    assert width(models.resolve(NamedModel("m"))) == 3
    assert models.resolve(DigestedModel(digest_of(small(3))))
    for door in (
        lambda: models.resolve(NamedModel("other")),
        lambda: models.register("n", small(4), b""),
        lambda: models.list(50, ""),
    ):
        with pytest.raises(Unavailable) as caught:
            door()
        assert caught.value.reason == "STORE_DOWN"
    breakable.set_down(False)
    assert len(models.list(50, "").items) == 1


def test_unreadable_entries_are_passed_over() -> None:
    """Bytes that somebody else put into the store are no model, and may be replaced."""
    store = memory_store()
    models = repository(store=store)
    record = models.register("m", small(3), b"")
    store.values.put("model-name:m/000000000000000001", b"garbage")
    fresh = repository(store=store)
    with pytest.raises(NotFound):
        fresh.resolve(NamedModel("m"))
    assert fresh.register("m/1", small(3), b"").digest == record.digest
    store.values.put(f"model-bytes:m/000000000000000001:{record.digest}", b"garbage" * 10)
    with pytest.raises(NotFound):
        repository(store=store).resolve(NamedModel("m"))


def test_foreign_entries_are_passed_over() -> None:
    """In the set of versions, and behind a digest: lists, names and registrations go on, and they are counted."""
    store, heard = memory_store(), Heard()
    for entry in ("x", "m/1/2", "m/one", "m/١", "a b/000000000000000001", "m/-00000000000000001", "m/1"):
        store.index.add("models", entry)
    models = repository(store=store, observer=heard)
    record = models.register("m", small(3), b"")
    store.values.put(f"model-digest:{'0' * 64}", b"\xff\xfe")
    assert [each.name for each in models.list(50, "").items] == [record.name]
    assert models.resolve(NamedModel("m")).info.digest == record.digest
    with pytest.raises(NotFound):
        models.resolve(DigestedModel("0" * 64))
    assert {each.reason for each in heard.of(EntrySkipped)} == {"foreign"}


def test_uploads_survive_in_a_real_redis(redis_server: RedisServer) -> None:
    """Two replicas over one Redis: a model in several pieces is registered on one and run on the other."""
    namespace = f"{uuid.uuid4()}:"
    first, second = (
        repository(store=redis_store(connected(redis_server, namespace=namespace), 1_000)) for _ in range(2)
    )
    record = first.register("m", GRU, b"")
    model = second.resolve(NamedModel("m"))
    assert model.info.digest == record.digest
    cells = Cells((np.ones((2, 3, 5), np.float32),))
    empty = PaddingRows((np.empty((0, 5), np.float32),), (np.empty((0, 5), np.float32),))
    np.testing.assert_array_equal(
        model.run(cells, empty, 0), first.resolve(NamedModel("m")).run(cells, empty, 0)
    )
    second.delete("m")
    with pytest.raises(NotFound):
        first.get("m")
