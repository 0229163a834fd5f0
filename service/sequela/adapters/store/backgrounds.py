"""Named backgrounds, and inline backgrounds by digest.

Keys and sets:

    background-name:{name}            digest and origin of a name's background; does not expire
    background-named:{name}:{digest}  the values under that name; do not expire
    background:{digest}               the values for a request that names their digest; expire
    backgrounds                       the set of all names
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from sequela.adapters.store.cache import CachedStore, FallbackStore
from sequela.adapters.store.envelope import BACKGROUND_NAME, SkipReason, Unreadable, seal, unseal
from sequela.adapters.store.memory import MemoryKeyValue
from sequela.adapters.store.page_tokens import page_position, page_token
from sequela.adapters.store.ports import Store, StoreDown
from sequela.adapters.store.serialization import decode_background, encode_background
from sequela.adapters.store.skip_log import SkipLog
from sequela.errors import AlreadyExists, NotFound
from sequela.explain.background import Background, StoredBackground
from sequela.explain.ports import Observer, Page
from sequela.names import background_prefix, is_background

DIGEST_TTL_SECONDS = 30 * 86_400.0
"""How long an inline background can be found by its digest, in seconds."""

CACHE_BYTES = 64 << 20
"""Size of each cache in the process, in bytes."""

NAMES_PER_READ = 100
"""How many names to read from the index at once."""

_NAMES = "backgrounds"


@dataclass(frozen=True, slots=True)
class _BackgroundRecord:
    """The record that is stored under a name, in addition to the values."""

    digest: str
    create_time: datetime
    sequences: int
    averaged_events: int


_records = TypeAdapter(_BackgroundRecord)


class BackgroundStore:
    """Implements the `Backgrounds` port.

    While the shared store is down, backgrounds that this process has read or written are still found. Calls that would
    change the shared store raise StoreDown.

    Args:
        store: The backend that replicas share.
        observer: Receives a record of every look-up in the cache.
        digest_ttl_seconds: How long an inline background is found by its digest.
        cache_bytes: Size of the cache of values, and separately of the cache of names.
    """

    def __init__(
        self,
        store: Store,
        observer: Observer,
        digest_ttl_seconds: float = DIGEST_TTL_SECONDS,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._index = store.index
        self._skips = SkipLog(observer)
        self._digest_ttl_seconds = digest_ttl_seconds
        self._cache = MemoryKeyValue(cache_bytes)
        self._names = FallbackStore(MemoryKeyValue(cache_bytes), store.values)
        self._values = CachedStore(self._cache, store.values, "background", observer)

    def create(self, stored: StoredBackground) -> StoredBackground:
        """See `Backgrounds`."""
        digest, values = stored.background.digest, encode_background(stored.background)
        record = _BackgroundRecord(digest, stored.create_time, stored.sequences, stored.averaged_events)
        # Write the values first, so that a name never exists without them, even if something fails in between.
        self._values.put(_named_key(stored.name, digest), values)
        present = self._claim(stored.name, record)
        if present.digest != digest:
            # The name belongs to other values, so nothing refers to those that were just written.
            self._values.delete(_named_key(stored.name, digest))
            text = (
                f"{stored.name} already exists with different values (digest {present.digest}); choose another name, "
                "or delete it first"
            )
            raise AlreadyExists("BACKGROUND_EXISTS", text)
        self._values.put(_digest_key(digest), values, self._digest_ttl_seconds)
        self._index.add(_NAMES, stored.name)
        return _stored(stored.name, present, stored.background)

    def get(self, name: str) -> StoredBackground:
        """See `Backgrounds`."""
        found = self._find(name)
        if found is None:
            raise _not_found(f"no background is named {name!r}")
        return found

    def by_digest(self, digest: str) -> Background:
        """See `Backgrounds`."""
        background = self._read(_digest_key(digest), digest)
        if background is None:
            raise _not_found(
                f"no background has the digest {digest!r}, or it has expired; send its values again"
            )
        return background

    def remember(self, background: Background) -> None:
        """See `Backgrounds`."""
        key = _digest_key(background.digest)
        # This process has stored it before. Writing it for every request would load the shared store.
        if self._cache.get(key) is not None:
            return
        try:
            self._values.put(key, encode_background(background), self._digest_ttl_seconds)
        except StoreDown:
            return  # it is in the cache of this process

    def list(self, model: str, page_size: int, token: str) -> Page[StoredBackground]:
        """See `Backgrounds`."""
        prefix = background_prefix(model)
        position = page_position(_NAMES + prefix, token) or prefix
        found: list[StoredBackground] = []
        for name in self._names_after(position):
            # The prefix ends with a slash, so all names of a model are next to each other in the set.
            if not name.startswith(prefix):
                break
            if len(found) == page_size:
                return Page(tuple(found), page_token(_NAMES + prefix, position))
            found += self._listed(name)
            position = name
        return Page(tuple(found))

    def delete(self, name: str) -> None:
        """See `Backgrounds`."""
        record = self._record(name)
        if record is None:
            raise _not_found(f"no background is named {name!r}")
        # The name is deleted last. A process that creates the same background now finds the name, or writes again.
        self._index.remove(_NAMES, name)
        self._values.delete(_named_key(name, record.digest))
        self._names.delete(_name_key(name))

    def _claim(self, name: str, record: _BackgroundRecord) -> _BackgroundRecord:
        """Writes the record unless the name has one. Returns the record that the name has afterwards."""
        ours = seal(BACKGROUND_NAME, _records.dump_json(record))
        present = self._decode(name, self._names.put_if_absent(_name_key(name), ours))
        if present is None:  # it cannot be read, so ours replaces it
            self._names.put(_name_key(name), ours)
            return record
        return present

    def _names_after(self, position: str) -> Iterator[str]:
        while names := self._index.page(_NAMES, position, NAMES_PER_READ):
            yield from names
            position = names[-1]

    def _listed(self, name: str) -> Iterator[StoredBackground]:
        """Yields the background with a name from the index, if it is still there."""
        if not is_background(name):  # another program wrote it
            self._skips.skip(SkipReason.FOREIGN, f"{_NAMES}: {name}")
            return
        background = self._find(name)
        if background is None:
            self._index.remove(_NAMES, name)
        else:
            yield background

    def _find(self, name: str) -> StoredBackground | None:
        record = self._record(name)
        background = record and self._read(_named_key(name, record.digest), record.digest)
        return _stored(name, record, background) if record and background else None

    def _record(self, name: str) -> _BackgroundRecord | None:
        data = self._names.get(_name_key(name))
        return None if data is None else self._decode(name, data)

    def _read(self, key: str, digest: str) -> Background | None:
        data = self._values.get(key)
        if data is None:
            return None
        try:
            background = decode_background(data)
            if background.digest == digest:
                return background
            self._skips.skip(SkipReason.DAMAGED, key)
        except Unreadable as unreadable:
            self._skips.skip(unreadable.reason, key)
        return None

    def _decode(self, name: str, data: bytes) -> _BackgroundRecord | None:
        try:
            return _records.validate_json(unseal(BACKGROUND_NAME, data))
        except Unreadable as unreadable:
            self._skips.skip(unreadable.reason, _name_key(name))
        except ValidationError:
            self._skips.skip(SkipReason.DAMAGED, _name_key(name))
        return None


def _stored(name: str, record: _BackgroundRecord, background: Background) -> StoredBackground:
    return StoredBackground(name, background, record.create_time, record.sequences, record.averaged_events)


def _not_found(message: str) -> NotFound:
    return NotFound("BACKGROUND_NOT_FOUND", message)


def _name_key(name: str) -> str:
    return f"background-name:{name}"


def _named_key(name: str, digest: str) -> str:
    return f"background-named:{name}:{digest}"


def _digest_key(digest: str) -> str:
    return f"background:{digest}"
