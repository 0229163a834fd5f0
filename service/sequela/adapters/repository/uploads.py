"""Uploaded models, kept in the store that replicas share.

Keys and sets (`m/v` is `ModelName.entry`):

    model-name:{m/v}            digest and upload time of a version; does not expire
    model-bytes:{m/v}:{digest}  the files of that version; do not expire
    model-digest:{digest}       the version that last got these files; does not expire
    models                      the set of all versions
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile

from cachetools import LRUCache
from pydantic import TypeAdapter, ValidationError

from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.store.envelope import SkipReason
from sequela.adapters.store.ports import Store, StoreDown
from sequela.adapters.store.skip_log import NOBODY, SkipLog
from sequela.errors import AlreadyExists
from sequela.explain.ports import Observer
from sequela.names import ModelName, ModelPattern

VERSIONS = "models"

PAGE_SIZE = 100
"""The number of entries to read from the set at once."""

MAX_CACHED_NAMES = 1_000
"""The number of names that are remembered in case the store goes down."""

LENGTH_BYTES = 8
"""The files are preceded by the length of the schema, as a big-endian integer of this many bytes."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A version of an uploaded model, and the digest of its files."""

    name: ModelName
    digest: str
    create_time: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class _UploadRecord:
    """An upload as it is stored under its name."""

    digest: str
    create_time: datetime


_records = TypeAdapter(_UploadRecord)


class Uploads:
    """All uploaded models. Every method may raise StoreDown, except that `find` still returns what it has found before.

    Args:
        store: The backend.
        observer: Receives a record of every entry that is skipped.
    """

    def __init__(self, store: Store, observer: Observer = NOBODY) -> None:
        self._skips = SkipLog(observer)
        self._values = store.values
        self._index = store.index
        self._lock = threading.Lock()
        self._known: LRUCache[ModelPattern, Upload] = LRUCache(MAX_CACHED_NAMES)

    def create(self, wanted: ModelPattern, source: ModelBytes) -> Upload:
        """Stores a model under the version that `wanted` names.

        Without a version, a version of that name with the same files is returned, or else the next version is used.

        Raises:
            AlreadyExists: MODEL_VERSION_EXISTS. The version has other files.
        """
        present = self._versions(wanted.model)
        if wanted.version is not None:
            return self._claim(ModelName(wanted.model, wanted.version), source)
        for upload in present:
            if upload.digest == source.digest:
                return upload
        version = max((upload.name.version for upload in present), default=0) + 1
        while True:
            try:
                return self._claim(ModelName(wanted.model, version), source)
            except AlreadyExists:  # another upload took the version in the meantime
                version += 1

    def find(self, pattern: ModelPattern) -> Upload | None:
        """Returns the version that the pattern names, or the highest one."""
        try:
            found = self._newest(pattern)
        except StoreDown:
            with self._lock:
                known = self._known.get(pattern)
            if known is None:
                raise
            return known
        self._remember(pattern, found)
        return found

    def by_digest(self, digest: str) -> Upload | None:
        """Returns an upload with these files."""
        entry = self._values.get(_digest_key(digest))
        name = self._name(entry.decode(errors="surrogateescape")) if entry else None
        upload = self._read_record(name) if name else None
        # The entry may be out of date: the version can have been deleted and uploaded again with other files.
        return upload if upload and upload.digest == digest else None

    def read(self, upload: Upload) -> ModelBytes | None:
        """Returns the files of an upload, or None if they are gone."""
        data = self._values.get(_bytes_key(upload))
        if data is None:
            return None
        split = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "big")
        source = ModelBytes(data[split:], data[LENGTH_BYTES:split], "model", "schema_json")
        # Damaged bytes count as missing, so that they are uploaded again.
        return source if source.digest == upload.digest else None

    def page(self, after: str, limit: int) -> list[Upload]:
        """Returns the first `limit` uploads after an entry, in the order of entries."""
        return list(islice(self._uploads(after), limit))

    def delete(self, pattern: ModelPattern) -> list[Upload]:
        """Deletes the version that the pattern names, or all versions. Returns what was deleted."""
        found = [upload for upload in self._versions(pattern.model) if pattern.matches(upload.name)]
        for upload in found:
            # The name is deleted last. If a failure leaves a name without files, `_claim` replaces it.
            self._index.remove(VERSIONS, upload.name.entry)
            self._values.delete(_bytes_key(upload))
            self._values.delete(_name_key(upload.name))
        with self._lock:
            for known in [known for known in self._known if known.model == pattern.model]:
                del self._known[known]
        return found

    def _claim(self, name: ModelName, source: ModelBytes) -> Upload:
        """Stores the files under a version, unless the version has others."""
        ours = Upload(name, source.digest)
        # Write the files first, so that a name never exists without them, even if something fails in between.
        length = len(source.schema_json).to_bytes(LENGTH_BYTES, "big")
        self._values.put(_bytes_key(ours), length + source.schema_json + source.onnx)
        record = _records.dump_json(_UploadRecord(ours.digest, ours.create_time))
        self._values.put_if_absent(_name_key(name), record)
        present = self._read_record(name)
        if present is None or (present.digest != ours.digest and self.read(present) is None):
            # The record cannot be read, or was written by a release that computed digests differently: replace it.
            self._values.put(_name_key(name), record)
            present = ours
        if present.digest != ours.digest:
            # Another upload has the name, so nothing refers to the files that were just written.
            self._values.delete(_bytes_key(ours))
            text = (
                f"{name.full} exists with other content (digest {present.digest}); choose another version, or leave "
                "the version out to get the next one"
            )
            raise AlreadyExists("MODEL_VERSION_EXISTS", text)
        self._values.put(_digest_key(ours.digest), name.entry.encode())
        self._index.add(VERSIONS, name.entry)
        return present

    def _remember(self, pattern: ModelPattern, found: Upload | None) -> None:
        with self._lock:
            if found:
                self._known[pattern] = found
            else:
                self._known.pop(pattern, None)

    def _newest(self, pattern: ModelPattern) -> Upload | None:
        if pattern.version is not None:
            return self._read_record(ModelName(pattern.model, pattern.version))
        return max(self._versions(pattern.model), key=lambda upload: upload.name, default=None)

    def _versions(self, model: str) -> list[Upload]:
        # The entries of a model follow each other, starting after `m/`.
        return list(takewhile(lambda upload: upload.name.model == model, self._uploads(f"{model}/")))

    def _uploads(self, after: str) -> Iterator[Upload]:
        """Yields all uploads after an entry, in the order of entries."""
        while entries := self._index.page(VERSIONS, after, PAGE_SIZE):
            names = filter(None, map(self._name, entries))
            yield from (upload for name in names if (upload := self._read_record(name)))
            after = entries[-1]

    def _name(self, entry: str) -> ModelName | None:
        name = ModelName.of_entry(entry)
        if name is None:  # another program wrote it
            self._skips.skip(SkipReason.FOREIGN, f"{VERSIONS}: {entry}")
        return name

    def _read_record(self, name: ModelName) -> Upload | None:
        data = self._values.get(_name_key(name))
        if data is None:
            return None
        try:
            record = _records.validate_json(data)
        except ValidationError:
            self._skips.skip(SkipReason.DAMAGED, _name_key(name))
            return None
        return Upload(name, record.digest, record.create_time)


def _name_key(name: ModelName) -> str:
    return f"model-name:{name.entry}"


def _bytes_key(upload: Upload) -> str:
    return f"model-bytes:{upload.name.entry}:{upload.digest}"


def _digest_key(digest: str) -> str:
    return f"model-digest:{digest}"
