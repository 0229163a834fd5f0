"""All models that can be explained: the operator's, uploaded ones, and those sent along with a question."""

from __future__ import annotations

import math
from contextlib import suppress

from sequela.adapters.endpoints.registry import Switchboard
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.operator_models import OperatorsModels
from sequela.adapters.repository.uploaded_models import Upload, UploadedModels
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.errors import (
    AlreadyExists,
    DoesNotFit,
    Forbidden,
    InvalidInput,
    NotFound,
    Unavailable,
)
from sequela.explain.ports import Model, ModelRecord, ModelSource, ModelState, Page
from sequela.explain.request import DigestedModel, EndpointModel, InlineModel, ModelChoice, NamedModel
from sequela.names import ModelName, ModelPattern, is_digest, parse_name

LOADING_RETRY_SECONDS = 1.0
_LIST = "models"


class ModelRepository:
    """The `Models` port. The operator's names come before those of uploads."""

    def __init__(
        self,
        configured: OperatorsModels,
        uploaded: UploadedModels,
        cache: ModelCache,
        loader: Loader,
        switchboard: Switchboard,
        uploads_allowed: bool = True,
    ) -> None:
        self._configured = configured
        self._uploaded = uploaded
        self._cache = cache
        self._loader = loader
        self._switchboard = switchboard
        self._uploads_allowed = uploads_allowed

    def resolve(self, choice: ModelChoice, until: float = math.inf) -> Model:
        """See `Models`."""
        match choice:
            case NamedModel(name):
                return self._named(parse_name(name, "model.name"))
            case DigestedModel(digest):
                return self._digested(digest)
            case InlineModel(onnx, schema_json):
                self._check_allowed()
                source = ModelBytes(onnx, schema_json, "model.inline.onnx", "model.inline.schema_json")
                return self._configured.by_digest(source.digest) or self._loaded(source)
            case EndpointModel():
                return self._switchboard.named(choice, until)

    def is_remote(self, choice: ModelChoice) -> bool:
        """See `Models`."""
        match choice:
            case NamedModel(name):
                with suppress(InvalidInput):
                    return self._configured.is_remote(parse_name(name, "model.name"))
                return False
            case EndpointModel():
                return True
            case _:
                return False

    def register(self, name: str, onnx: bytes, schema_json: bytes) -> ModelRecord:
        """See `Models`."""
        self._check_allowed()
        source = ModelBytes(onnx, schema_json, "onnx_chunk", "header.schema_json")
        wanted = parse_name(name, "header.name") if name else ModelPattern(source.digest, 1)
        for own, record in self._configured.records().items():
            if wanted.matches(own) and record.digest == source.digest:
                return record
        if self._configured.find(ModelPattern(wanted.model, None)):
            text = f"models/{wanted.model} belongs to the operator's model repository; choose another name"
            raise AlreadyExists("MODEL_NAME_TAKEN", text)
        model = self._loaded(source)
        return _record(self._uploaded.keep(wanted, source), model)

    def get(self, name: str) -> ModelRecord:
        """See `Models`."""
        pattern = parse_name(name, "name")
        record = self._configured.find(pattern)
        if record:
            return record
        upload = self._find(pattern)
        if upload:
            return self._described(upload)
        raise _unknown(name)

    def list(self, page_size: int, token: str) -> Page[ModelRecord]:
        """See `Models`. Uploads not loaded in this process are listed without what their graph tells."""
        after = page_position(_LIST, token)
        found = {
            upload.name.entry: _record(upload, self._cache.peek(upload.digest))
            for upload in self._uploaded.page(after, page_size + 1)
        }
        own = self._configured.records().items()
        found.update({name.entry: record for name, record in own if name.entry > after})
        entries = sorted(found)[:page_size]
        more = len(found) > page_size
        return Page(tuple(found[entry] for entry in entries), page_token(_LIST, entries[-1]) if more else "")

    def delete(self, name: str) -> None:
        """See `Models`; without a version, all versions."""
        pattern = parse_name(name, "name")
        if self._configured.find(pattern):
            text = f"{name} comes from the model repository, which belongs to the operator"
            raise Forbidden("MODEL_OF_REPOSITORY", text)
        forgotten = self._uploaded.delete(pattern)
        if not forgotten:
            raise _unknown(name)
        for upload in forgotten:
            self._cache.drop(upload.digest)

    def _named(self, pattern: ModelPattern) -> Model:
        record = self._configured.find(pattern)
        if record:
            return _usable(record)
        upload = self._find(pattern)
        if upload is None:
            raise _unknown(pattern.short)
        return self._opened(upload).named(upload.name.full)

    def _digested(self, digest: str) -> Model:
        if not is_digest(digest):
            text = f"{digest[:80]!r} is not a digest of 64 hexadecimal digits"
            raise InvalidInput.at("model.digest", "DIGEST_INVALID", text)
        known = self._configured.by_digest(digest) or self._cache.peek(digest)
        if known:
            return known
        upload = self._uploaded.by_digest(digest)
        if upload is None:
            raise _unknown(f"of digest {digest}")
        return self._opened(upload)

    def _find(self, pattern: ModelPattern) -> Upload | None:
        """By name; content that came under another name is also found by its digest."""
        upload = self._uploaded.find(pattern)
        if upload is None and pattern.version is None and is_digest(pattern.model):
            return self._uploaded.by_digest(pattern.model)
        return upload

    def _described(self, upload: Upload) -> ModelRecord:
        try:
            return _record(upload, self._opened(upload))
        except (InvalidInput, DoesNotFit) as error:
            return _record(upload, None, ModelState.FAILED, error.message)

    def _opened(self, upload: Upload) -> OnnxModel:
        def load() -> OnnxModel:
            source = self._uploaded.read(upload)
            if source is None:
                raise _unknown(upload.name.full)
            return self._loader.load(_digest_name(upload.digest), source)

        return self._cache.get(upload.digest, load)

    def _loaded(self, source: ModelBytes) -> OnnxModel:
        digest = source.digest
        return self._cache.get(digest, lambda: self._loader.load(_digest_name(digest), source))

    def _check_allowed(self) -> None:
        if not self._uploads_allowed:
            raise Forbidden("UPLOADS_DISABLED", "the operator has switched off models sent by callers")


def _digest_name(digest: str) -> str:
    """The name of a model that came without one."""
    return ModelName(digest, 1).full


def _usable(record: ModelRecord) -> Model:
    if record.state is ModelState.LOADING:
        if record.detail:
            text = f"{record.name} cannot be reached: {record.detail}"
            raise Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=LOADING_RETRY_SECONDS)
        text = f"{record.name} is still being loaded"
        raise Unavailable("MODEL_LOADING", text, retry_after=LOADING_RETRY_SECONDS)
    if record.model is None:
        raise DoesNotFit("MODEL_NOT_LOADED", f"{record.name} failed to load: {record.detail}")
    if record.model.endpoint:
        record.model.endpoint.check()
    return record.model


def _record(
    upload: Upload, model: OnnxModel | None, state: ModelState = ModelState.READY, detail: str = ""
) -> ModelRecord:
    return ModelRecord(
        name=upload.name.full,
        digest=upload.digest,
        source=ModelSource.UPLOAD,
        state=state,
        create_time=upload.create_time,
        detail=detail,
        execution=model.execution if model else "",
        model=model.named(upload.name.full) if model else None,
    )


def _unknown(name: str) -> NotFound:
    return NotFound("MODEL_NOT_FOUND", f"no model {name}")
