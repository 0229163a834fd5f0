"""Uploaded models, kept in a key-value store so that every replica finds them.

model-name:{m/v}            what the name holds: a digest and when it came; without end
model-bytes:{m/v}:{digest}  the files under that name; without end
model-digest:{digest}       the name under which this content came last
models                      an index of names
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile

import structlog
from cachetools import LRUCache
from pydantic import TypeAdapter, ValidationError

from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.store.ports import KeyValue, StoreDown
from sequela.errors import AlreadyExists
from sequela.names import ModelName, ModelPattern

INDEX = "models"
PAGE = 100
REMEMBERED = 1_000
LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class _UploadRecord:
    """What a name holds, as it is stored."""

    digest: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """A name and what it holds."""

    name: ModelName
    digest: str
    create_time: datetime = field(default_factory=lambda: datetime.now(UTC))


_RECORD = TypeAdapter(_UploadRecord)
_log = structlog.get_logger(__name__)


class Uploads:
    """What was uploaded. Every call may raise StoreDown; `find` then still knows what it found before."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._found: LRUCache[ModelPattern, Upload] = LRUCache(REMEMBERED)

    def keep(self, wanted: ModelPattern, source: ModelBytes) -> Upload:
        """Keeps a model under the version wanted; without one, that which holds it already, else the next.

        Raises AlreadyExists (MODEL_VERSION_EXISTS) where the version holds other content.
        """
        standing = self._versions(wanted.model)
        if wanted.version is not None:
            return self._claim(ModelName(wanted.model, wanted.version), source)
        for upload in standing:
            if upload.digest == source.digest:
                return upload
        version = max((upload.name.version for upload in standing), default=0) + 1
        while True:
            try:
                return self._claim(ModelName(wanted.model, version), source)
            except AlreadyExists:  # another upload took it in between
                version += 1

    def find(self, pattern: ModelPattern) -> Upload | None:
        """The version asked for, or else the highest."""
        try:
            found = self._newest(pattern)
        except StoreDown:
            with self._lock:
                known = self._found.get(pattern)
            if known is None:
                raise
            return known
        self._remember(pattern, found)
        return found

    def by_digest(self, digest: str) -> Upload | None:
        """An upload with this content."""
        entry = self._store.get(f"model-digest:{digest}")
        upload = self._get(ModelName.of_entry(entry.decode())) if entry else None
        return upload if upload and upload.digest == digest else None

    def read(self, upload: Upload) -> ModelBytes | None:
        """Its bytes; None where they are gone."""
        data = self._store.get(_bytes_key(upload))
        if data is None:
            return None
        split = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "big")
        source = ModelBytes(data[split:], data[LENGTH_BYTES:split], "model", "schema_json")
        return source if source.digest == upload.digest else None

    def page(self, after: str, limit: int) -> list[Upload]:
        """The first uploads behind an entry, in the order of entries."""
        return list(islice(self._uploads(after), limit))

    def delete(self, pattern: ModelPattern) -> list[Upload]:
        """Forgets the version, or without one all versions; what was forgotten."""
        found = [upload for upload in self._versions(pattern.model) if pattern.matches(upload.name)]
        for upload in found:
            self._store.index_remove(INDEX, upload.name.entry)
            self._store.delete(_bytes_key(upload))
            self._store.delete(f"model-name:{upload.name.entry}")
        with self._lock:
            for known in [known for known in self._found if known.model == pattern.model]:
                del self._found[known]
        return found

    def _claim(self, name: ModelName, source: ModelBytes) -> Upload:
        ours = Upload(name, source.digest)
        # The bytes first: a name never stands without them, whatever fails in between.
        length = len(source.schema_json).to_bytes(LENGTH_BYTES, "big")
        self._store.put(_bytes_key(ours), length + source.schema_json + source.onnx)
        record = _RECORD.dump_json(_UploadRecord(ours.digest, ours.create_time))
        self._store.put_if_absent(f"model-name:{name.entry}", record)
        standing = self._get(name)
        if standing is None or (standing.digest != ours.digest and self.read(standing) is None):
            # Nobody can read what stands there, or it was kept under a digest of another making: ours replaces it.
            self._store.put(f"model-name:{name.entry}", record)
            standing = ours
        if standing.digest != ours.digest:
            self._store.delete(_bytes_key(ours))
            text = f"{name.full} holds another model, of digest {standing.digest}"
            raise AlreadyExists("MODEL_VERSION_EXISTS", text)
        self._store.put(f"model-digest:{ours.digest}", name.entry.encode())
        self._store.index_add(INDEX, name.entry)
        return standing

    def _remember(self, pattern: ModelPattern, found: Upload | None) -> None:
        with self._lock:
            if found:
                self._found[pattern] = found
            else:
                self._found.pop(pattern, None)

    def _newest(self, pattern: ModelPattern) -> Upload | None:
        if pattern.version is not None:
            return self._get(ModelName(pattern.model, pattern.version))
        return max(self._versions(pattern.model), key=lambda upload: upload.name, default=None)

    def _versions(self, model: str) -> list[Upload]:
        return list(takewhile(lambda upload: upload.name.model == model, self._uploads(f"{model}/")))

    def _uploads(self, after: str) -> Iterator[Upload]:
        """All uploads behind an entry, in the order of entries."""
        while entries := self._store.index_page(INDEX, after, PAGE):
            yield from (upload for entry in entries if (upload := self._get(ModelName.of_entry(entry))))
            after = entries[-1]

    def _get(self, name: ModelName) -> Upload | None:
        data = self._store.get(f"model-name:{name.entry}")
        if data is None:
            return None
        try:
            record = _RECORD.validate_json(data)
        except ValidationError:
            _log.warning("stored_model_unreadable", model=name.full)
            return None
        return Upload(name, record.digest, record.create_time)


def _bytes_key(upload: Upload) -> str:
    return f"model-bytes:{upload.name.entry}:{upload.digest}"
