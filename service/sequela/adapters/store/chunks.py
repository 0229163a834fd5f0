"""Large values over the network: cut into pieces that each pass well within a store's timeouts."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator

import structlog

from sequela.adapters.store.ports import KeyValue

PIECE_BYTES = 1 << 20
"""1 MiB takes about 10 ms on a gigabit network."""

_WHOLE = b"\x00"
_PIECES = b"\x01"
_HEAD = struct.Struct("<I32s")  # number of pieces, SHA-256 of the value
_log = structlog.get_logger(__name__)


class ChunkedStore:
    """A store in front of another one. A value longer than `piece_bytes` lies under several keys, named by
    its digest, and its own key says which; that key is written last, so that nobody finds half a value. A
    value with a piece missing, or of foreign bytes, is not there.
    """

    def __init__(self, store: KeyValue, piece_bytes: int = PIECE_BYTES) -> None:
        self._store = store
        self._piece_bytes = piece_bytes
        self.index_add = store.index_add
        self.index_remove = store.index_remove
        self.index_page = store.index_page
        self.index_trim = store.index_trim

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        head = self._store.get(key)
        return None if head is None else self._join(key, head)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `KeyValue`."""
        self._store.put(key, self._cut(key, value, ttl), ttl)

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bytes:
        """See `KeyValue`."""
        ours = self._cut(key, value, ttl)
        head = self._store.put_if_absent(key, ours, ttl)
        if head == ours:
            return value
        standing = self._join(key, head)
        if standing is None:  # what stands there is broken: ours replaces it
            self._store.put(key, ours, ttl)
            return value
        self._drop(key, ours)
        return standing

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        head = self._store.get(key)
        if head is not None:
            self._drop(key, head)
        return self._store.delete(key)

    def _cut(self, key: str, value: bytes, ttl: float | None) -> bytes:
        if len(value) <= self._piece_bytes:
            return _WHOLE + value
        starts = range(0, len(value), self._piece_bytes)
        head = _PIECES + _HEAD.pack(len(starts), hashlib.sha256(value).digest())
        for piece, start in zip(_piece_keys(key, head), starts, strict=True):
            self._store.put(piece, value[start : start + self._piece_bytes], ttl)
        return head

    def _join(self, key: str, head: bytes) -> bytes | None:
        if head[:1] == _WHOLE:
            return head[1:]
        found = map(self._store.get, _piece_keys(key, head))
        value = b"".join(piece for piece in itertools.takewhile(bool, found) if piece)
        if hashlib.sha256(value).digest() != head[-32:]:
            _log.warning("stored_value_unreadable", key=key)
            return None
        return value

    def _drop(self, key: str, head: bytes) -> None:
        for piece in _piece_keys(key, head):
            if not self._store.delete(piece):
                return  # gone already, or foreign bytes that look like a head


def _piece_keys(key: str, head: bytes) -> Iterator[str]:
    """The keys of the pieces that a head names: none for a whole value, or for foreign bytes."""
    if head[:1] == _PIECES and len(head) == 1 + _HEAD.size:
        count, digest = _HEAD.unpack(head[1:])
        yield from (f"{key}/{digest.hex()}/{number}" for number in range(count))
