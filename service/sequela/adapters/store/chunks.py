"""Large values in a store over the network, cut into chunks that each pass well within the store's timeouts."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator

import structlog

from sequela.adapters.store.ports import KeyValue

CHUNK_BYTES = 1 << 20
"""1 MiB takes about 10 ms on a gigabit network; the default timeout of Redis is 200 ms."""

_WHOLE = b"\x00"
_CHUNKED = b"\x01"
_HEADER = struct.Struct("<I32s")  # number of chunks, SHA-256 of the value
_log = structlog.get_logger(__name__)


class ChunkedStore:
    """Implements `KeyValue` in front of another one, and stores values longer than `chunk_bytes` under several keys.

    The keys of the chunks contain the value's digest. The value's own key holds a header that names them. It is written
    last, so nobody reads an incomplete value. A value with a missing or foreign chunk counts as absent.
    """

    def __init__(self, values: KeyValue, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._values = values
        self._chunk_bytes = chunk_bytes

    def get(self, key: str) -> bytes | None:
        """See `KeyValue`."""
        header = self._values.get(key)
        return None if header is None else self._read(key, header)

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """See `KeyValue`."""
        self._values.put(key, self._write(key, value, ttl_seconds), ttl_seconds)

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """See `KeyValue`."""
        ours = self._write(key, value, ttl_seconds)
        header = self._values.put_if_absent(key, ours, ttl_seconds)
        if header == ours:
            return value
        present = self._read(key, header)
        if present is None:  # it cannot be read, so ours replaces it
            self._values.put(key, ours, ttl_seconds)
            return value
        # Another value was there first, so nothing refers to our chunks.
        self._delete_chunks(key, ours)
        return present

    def delete(self, key: str) -> bool:
        """See `KeyValue`."""
        header = self._values.get(key)
        if header is not None:
            self._delete_chunks(key, header)
        return self._values.delete(key)

    def _write(self, key: str, value: bytes, ttl_seconds: float | None) -> bytes:
        """Stores the chunks, and returns what the key itself has to hold."""
        if len(value) <= self._chunk_bytes:
            return _WHOLE + value
        starts = range(0, len(value), self._chunk_bytes)
        header = _CHUNKED + _HEADER.pack(len(starts), hashlib.sha256(value).digest())
        for chunk_key, start in zip(_chunk_keys(key, header), starts, strict=True):
            self._values.put(chunk_key, value[start : start + self._chunk_bytes], ttl_seconds)
        return header

    def _read(self, key: str, header: bytes) -> bytes | None:
        if header[:1] == _WHOLE:
            return header[1:]
        chunks = map(self._values.get, _chunk_keys(key, header))
        # Stop at the first missing chunk, since the value is lost anyway.
        value = b"".join(chunk for chunk in itertools.takewhile(bool, chunks) if chunk)
        # Chunks expire one by one, so some of them may be missing.
        if hashlib.sha256(value).digest() != header[-32:]:
            _log.warning("stored value unreadable", key=key)
            return None
        return value

    def _delete_chunks(self, key: str, header: bytes) -> None:
        for chunk_key in _chunk_keys(key, header):
            if not self._values.delete(chunk_key):
                return  # already deleted, or the header was foreign bytes that look like one


def _chunk_keys(key: str, header: bytes) -> Iterator[str]:
    """Yields the keys of the chunks; none for a value that is whole, or for foreign bytes."""
    if header[:1] == _CHUNKED and len(header) == 1 + _HEADER.size:
        count, digest = _HEADER.unpack(header[1:])
        yield from (f"{key}/{digest.hex()}/{number}" for number in range(count))
