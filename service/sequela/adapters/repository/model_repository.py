"""All models that can be explained: the operator's, uploaded ones, and those sent inline with a request."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import structlog

from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.repository.loaded_model import LoadedModel, ModelLoader
from sequela.adapters.repository.model_cache import ModelCache
from sequela.adapters.repository.operator_models import OperatorModels
from sequela.adapters.repository.uploads import Upload, Uploads
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.adapters.store.ports import StoreDown
from sequela.concurrency.deadline import Deadline
from sequela.errors import (
    AlreadyExists,
    DoesNotFit,
    Forbidden,
    InvalidInput,
    NotFound,
    Unavailable,
)
from sequela.explain.ports import Model, ModelInfo, ModelRecord, ModelSource, ModelState, Page, RemoteModel
from sequela.explain.request import DigestedModel, EndpointModel, InlineModel, ModelChoice, NamedModel
from sequela.names import ModelName, ModelPattern, is_digest, parse_name

_log = structlog.get_logger(__name__)

LOADING_RETRY_SECONDS = 1.0
_LIST = "models"


class ModelRepository:
    """Implements the `Models` port. A name of the operator's takes precedence over an upload of the same name.

    Args:
        operator_models: The models of the model repository.
        uploads: Uploaded models.
        cache: Uploaded and inline models that are loaded.
        loader: Loads uploaded and inline models.
        endpoint_registry: Connects to endpoints that requests name.
        uploads_allowed: Whether callers may upload models or send them inline.
    """

    def __init__(
        self,
        operator_models: OperatorModels,
        uploads: Uploads,
        cache: ModelCache,
        loader: ModelLoader,
        endpoint_registry: EndpointRegistry,
        uploads_allowed: bool = True,
    ) -> None:
        self._operator_models = operator_models
        self._uploads = uploads
        self._cache = cache
        self._loader = loader
        self._endpoint_registry = endpoint_registry
        self._uploads_allowed = uploads_allowed

    def resolve(self, choice: ModelChoice, deadline: Deadline | None = None) -> Model:
        """See `Models`."""
        deadline = deadline or Deadline()
        match choice:
            case NamedModel(name):
                return self._by_name(parse_name(name, "model.name"), deadline)
            case DigestedModel(digest):
                return self._by_digest(digest, deadline)
            case InlineModel(onnx, schema_json):
                self._check_allowed()
                source = ModelBytes(onnx, schema_json, "model.inline.onnx", "model.inline.schema_json")
                return self._load_like_operators(source, deadline)
            case EndpointModel():
                return self._endpoint_registry.resolve(choice, deadline.end)

    def info(self, choice: ModelChoice, deadline: Deadline | None = None) -> ModelInfo:
        """See `Models`."""
        record = self.configured(choice)
        if record and record.endpoint is None:
            return _known_info(record)
        return self.resolve(choice, deadline).info

    def configured(self, choice: ModelChoice) -> ModelRecord | None:
        """See `Models`."""
        match choice:
            case NamedModel(name):
                with suppress(InvalidInput):
                    return self._operator_models.find(parse_name(name, "model.name"))
                return None
            case DigestedModel(digest):
                return self._operator_models.with_digest(digest)
            case _:
                return None

    def register(
        self, name: str, onnx: bytes, schema_json: bytes, deadline: Deadline | None = None
    ) -> ModelRecord:
        """See `Models`."""
        self._check_allowed()
        source = ModelBytes(onnx, schema_json, "onnx_chunk", "header.schema_json")
        wanted = parse_name(name, "header.name") if name else ModelPattern(source.digest, 1)
        for configured, record in self._operator_models.records().items():
            # A client that uploads the operator's own file at each start gets the operator's model.
            if wanted.matches(configured) and record.digest == source.digest:
                return record
        if self._operator_models.find(ModelPattern(wanted.model, None)):
            text = f"models/{wanted.model} is in the operator's model repository; choose another name"
            raise AlreadyExists("MODEL_NAME_TAKEN", text)
        model = self._load(source, deadline or Deadline())
        return _record(self._uploads.create(wanted, source), model)

    def get(self, name: str, deadline: Deadline | None = None) -> ModelRecord:
        """See `Models`."""
        pattern = parse_name(name, "name")
        record = self._operator_models.find(pattern)
        if record:
            return record
        upload = self._find(pattern)
        if upload:
            return self._describe(upload, deadline or Deadline())
        raise _not_found(name)

    def list(self, page_size: int, token: str) -> Page[ModelRecord]:
        """See `Models`. Uploads that are not loaded in this process are listed without their schema.

        While the store is down, only the operator's models are listed. Raises StoreDown if there are none.
        """
        after = page_position(_LIST, token)
        configured = self._operator_models.records()
        found = self._list_uploads(after, page_size + 1, configured)
        found.update({name.entry: record for name, record in configured.items() if name.entry > after})
        entries = sorted(found)[:page_size]
        more = len(found) > page_size
        return Page(tuple(found[entry] for entry in entries), page_token(_LIST, entries[-1]) if more else "")

    def _list_uploads(
        self, after: str, limit: int, configured: Mapping[ModelName, ModelRecord]
    ) -> dict[str, ModelRecord]:
        """Returns uploads by entry. One more than fits shows whether there is a next page."""
        try:
            uploads = self._uploads.page(after, limit)
        except StoreDown:
            if not configured:
                raise
            return {}
        return {upload.name.entry: _record(upload, self._cache.peek(upload.digest)) for upload in uploads}

    def delete(self, name: str) -> None:
        """See `Models`. Without a version, all versions are deleted."""
        pattern = parse_name(name, "name")
        if self._operator_models.find(pattern):
            text = f"{name} is in the operator's model repository; only uploaded models can be deleted"
            raise Forbidden("MODEL_OF_REPOSITORY", text)
        deleted = self._uploads.delete(pattern)
        if not deleted:
            raise _not_found(name)
        for upload in deleted:
            self._cache.drop(upload.digest)

    def _by_name(self, pattern: ModelPattern, deadline: Deadline) -> Model:
        record = self._operator_models.find(pattern)
        if record:
            return self._usable(record)
        upload = self._find(pattern)
        if upload is None:
            return self._leaving(pattern)
        return self._load_upload(upload, deadline).with_name(upload.name.full)

    def _leaving(self, pattern: ModelPattern) -> Model:
        """Returns a model whose folder was removed, for requests that began before. Raises NotFound."""
        name = ModelName(pattern.model, pattern.version).full if pattern.version is not None else ""
        found = self._operator_models.by_name(name)
        if found is None:
            raise _not_found(pattern.short)
        return found

    def _by_digest(self, digest: str, deadline: Deadline) -> Model:
        if not is_digest(digest):
            text = f"{digest[:80]!r} is not a digest; expected 64 hexadecimal digits in lower case"
            raise InvalidInput.at("model.digest", "DIGEST_INVALID", text)
        loaded = self._operator_models.by_digest(digest) or self._cache.peek(digest)
        if loaded:
            return loaded
        upload = self._uploads.by_digest(digest)
        if upload is None:
            raise _not_found(f"with the digest {digest}")
        return self._load_upload(upload, deadline)

    def _load_like_operators(self, source: ModelBytes, deadline: Deadline) -> LoadedModel:
        """Loads a model that was sent. If the operator has the same model, the answer names that one."""
        record = self._operator_models.with_digest(source.digest)
        if record is None:
            return self._load(source, deadline)
        loaded = self._operator_models.by_name(record.name)
        return loaded or self._load(source, deadline).with_name(record.name)

    def _usable(self, record: ModelRecord) -> Model:
        info = _known_info(record)
        if record.endpoint:
            # Refuse at once if the endpoint is off or down, before anything is prepared for it.
            record.endpoint.check()
            return RemoteModel(info, record.endpoint)
        model = self._operator_models.by_name(record.name)
        if model is None:
            # It runs in engines, and has become ready only after the request was sent elsewhere.
            raise _loading_error(record)
        return model

    def _find(self, pattern: ModelPattern) -> Upload | None:
        """Finds an upload by name. A digest as the name finds an upload with any name."""
        upload = self._uploads.find(pattern)
        if upload is None and pattern.version is None and is_digest(pattern.model):
            return self._uploads.by_digest(pattern.model)
        return upload

    def _describe(self, upload: Upload, deadline: Deadline) -> ModelRecord:
        try:
            return _record(upload, self._load_upload(upload, deadline))
        except (InvalidInput, DoesNotFit) as error:
            return _record(upload, None, ModelState.FAILED, error.message)

    def _load_upload(self, upload: Upload, deadline: Deadline) -> LoadedModel:
        def load(until: Deadline) -> LoadedModel:
            source = self._uploads.read(upload)
            if source is None:
                raise _not_found(upload.name.full)
            return self._load_logged(source, until, model=upload.name.full)

        return self._cache.get(upload.digest, load, deadline)

    def _load(self, source: ModelBytes, deadline: Deadline) -> LoadedModel:
        digest = source.digest

        def load(until: Deadline) -> LoadedModel:
            return self._load_logged(source, until)

        return self._cache.get(digest, load, deadline)

    def _load_logged(self, source: ModelBytes, deadline: Deadline, **facts: str) -> LoadedModel:
        model = self._loader.load(_digest_name(source.digest), source, deadline)
        _log.info("model loaded", digest=source.digest, execution=model.execution, **facts)
        return model

    def _check_allowed(self) -> None:
        if not self._uploads_allowed:
            text = "this server does not accept models from callers (--no-uploads); name one that it has"
            raise Forbidden("UPLOADS_DISABLED", text)


def _digest_name(digest: str) -> str:
    """Returns the name of a model that was sent without one."""
    return ModelName(digest, 1).full


def _known_info(record: ModelRecord) -> ModelInfo:
    """Returns the properties of a model of the operator. Raises Unavailable and DoesNotFit if it cannot be used."""
    if record.state is ModelState.LOADING:
        if record.detail:
            text = f"{record.name} cannot be reached: {record.detail}"
            raise Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=LOADING_RETRY_SECONDS)
        raise _loading_error(record)
    if record.info is None:
        raise DoesNotFit("MODEL_NOT_LOADED", f"{record.name} failed to load: {record.detail}")
    return record.info


def _loading_error(record: ModelRecord) -> Unavailable:
    text = f"{record.name} is still being loaded; retry later"
    return Unavailable("MODEL_LOADING", text, retry_after=LOADING_RETRY_SECONDS)


def _record(
    upload: Upload, model: LoadedModel | None, state: ModelState = ModelState.READY, detail: str = ""
) -> ModelRecord:
    return ModelRecord(
        name=upload.name.full,
        digest=upload.digest,
        source=ModelSource.UPLOAD,
        state=state,
        create_time=upload.create_time,
        detail=detail,
        execution=model.execution if model else "",
        info=replace(model.info, name=upload.name.full) if model else None,
    )


def _not_found(name: str) -> NotFound:
    return NotFound("MODEL_NOT_FOUND", f"no model is named {name!r}")
