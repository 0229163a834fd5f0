"""Named backgrounds, kept in a key-value store.

background-name:{name}           what the name holds: a digest and where it came from; without end
background-named:{name}:{digest} the values under that name; without end
background:{digest}              the values for whoever knows their digest; for a while
backgrounds                      an index of names
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import TypeAdapter, ValidationError

from sequela.adapters.store.key_value import KeyValue, StoreDown
from sequela.adapters.store.layers import FarFirst, NearFirst
from sequela.adapters.store.memory import MemoryKeyValue
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.adapters.store.serialization import decode_background, encode_background, seal, unseal
from sequela.errors import AlreadyExists, NotFound
from sequela.explain.background import Background, StoredBackground
from sequela.explain.ports import Observer, Page
from sequela.names import background_prefix

DIGEST_SECONDS = 30 * 86_400.0
"""How long an inline background is found again by its digest alone."""

NEAR_BYTES = 64 << 20
"""Room for copies in the process."""

_INDEX = "backgrounds"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Record:
    """What a name holds."""

    digest: str
    create_time: datetime
    sequences: int
    averaged_events: int


_records = TypeAdapter(_Record)


class StoredBackgrounds:
    """The `Backgrounds` port. While the shared store is down, what this process has seen is still found, and
    what would have to be changed there raises StoreDown.
    """

    def __init__(
        self,
        store: KeyValue,
        observer: Observer,
        digest_seconds: float = DIGEST_SECONDS,
        near_bytes: int = NEAR_BYTES,
    ) -> None:
        self._store = store
        self._digest_seconds = digest_seconds
        self._near = MemoryKeyValue(near_bytes)
        self._names = FarFirst(MemoryKeyValue(near_bytes), store)
        self._values = NearFirst(self._near, store, "background", observer)

    def create(self, stored: StoredBackground) -> StoredBackground:
        """See `Backgrounds`."""
        digest, values = stored.background.digest, encode_background(stored.background)
        record = _Record(digest, stored.create_time, stored.sequences, stored.averaged_events)
        # The values first: a name never stands without them, whatever fails in between.
        self._values.put(_named(stored.name, digest), values)
        standing = self._claim(stored.name, record)
        if standing.digest != digest:
            self._values.delete(_named(stored.name, digest))
            raise AlreadyExists(
                "BACKGROUND_EXISTS", f"{stored.name} holds another background, of digest {standing.digest}"
            )
        self._values.put(_digested(digest), values, self._digest_seconds)
        self._store.index_add(_INDEX, stored.name)
        return _stored(stored.name, standing, stored.background)

    def get(self, name: str) -> StoredBackground:
        """See `Backgrounds`."""
        found = self._find(name)
        if found is None:
            raise _unknown(f"no background is named {name!r}")
        return found

    def by_digest(self, digest: str) -> Background:
        """See `Backgrounds`."""
        background = self._load(_digested(digest), digest)
        if background is None:
            raise _unknown(f"no background has the digest {digest!r}")
        return background

    def remember(self, background: Background) -> None:
        """See `Backgrounds`."""
        key = _digested(background.digest)
        if self._near.get(key) is not None:
            return
        try:
            self._values.put(key, encode_background(background), self._digest_seconds)
        except StoreDown:
            return  # it stays in the process

    def list(self, model: str, page_size: int, token: str) -> Page[StoredBackground]:
        """See `Backgrounds`."""
        prefix = background_prefix(model)
        position = page_position(_INDEX + prefix, token) or prefix
        found: list[StoredBackground] = []
        while names := self._store.index_page(_INDEX, position, page_size + 1 - len(found)):
            for name in names:
                if not name.startswith(prefix):
                    return Page(tuple(found))
                if len(found) == page_size:
                    return Page(tuple(found), page_token(_INDEX + prefix, position))
                background = self._find(name)
                if background is None:
                    self._store.index_remove(_INDEX, name)
                else:
                    found.append(background)
                position = name
        return Page(tuple(found))

    def delete(self, name: str) -> None:
        """See `Backgrounds`."""
        record = self._record(name)
        if record is None:
            raise _unknown(f"no background is named {name!r}")
        # The name last: who creates the same content right now finds the name, or puts the values again.
        self._store.index_remove(_INDEX, name)
        self._values.delete(_named(name, record.digest))
        self._names.delete(_name(name))

    def _claim(self, name: str, record: _Record) -> _Record:
        """What the name holds, once this record was put under it unless it held one."""
        ours = seal(_records.dump_json(record))
        standing = _decode(name, self._names.put_if_absent(_name(name), ours))
        if standing is None:  # nobody can read it: ours replaces it
            self._names.put(_name(name), ours)
            return record
        return standing

    def _find(self, name: str) -> StoredBackground | None:
        record = self._record(name)
        background = record and self._load(_named(name, record.digest), record.digest)
        return _stored(name, record, background) if record and background else None

    def _record(self, name: str) -> _Record | None:
        data = self._names.get(_name(name))
        return None if data is None else _decode(name, data)

    def _load(self, key: str, digest: str) -> Background | None:
        data = self._values.get(key)
        if data is None:
            return None
        background = decode_background(data)
        if background is None or background.digest != digest:
            _log.warning("stored_background_unreadable", key=key)
            return None
        return background


def _decode(name: str, data: bytes) -> _Record | None:
    content = unseal(data)
    try:
        if content is not None:
            return _records.validate_json(content)
    except ValidationError:
        pass
    _log.warning("stored_background_unreadable", name=name)
    return None


def _stored(name: str, record: _Record, background: Background) -> StoredBackground:
    return StoredBackground(name, background, record.create_time, record.sequences, record.averaged_events)


def _unknown(message: str) -> NotFound:
    return NotFound("BACKGROUND_NOT_FOUND", message)


def _name(name: str) -> str:
    return f"background-name:{name}"


def _named(name: str, digest: str) -> str:
    return f"background-named:{name}:{digest}"


def _digested(digest: str) -> str:
    return f"background:{digest}"
