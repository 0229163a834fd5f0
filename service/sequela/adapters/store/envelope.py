"""The envelope around stored bytes: what they are, in which version, and a checksum.

An envelope is `SQ`, a letter for the kind, a byte for the version of the kind's format, the CRC-32 of the rest (little
endian), a letter for the compression (`p` for plain, `z` for Zstandard, `d` for Zstandard with the dictionary) and the
content. Bytes that are damaged, or that another program or a newer release wrote, are recognised, and never parsed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sequela.adapters.store.zstandard import ZstdDict, ZstdError, compress, decompress, dictionary

_MAGIC = b"SQ"
_HEADER = struct.Struct("<2sccI")
_COMPRESS_FROM_BYTES = 256
_COMPRESSION_LEVEL = 1
"""The compression level. Level 3 takes twice as long, and makes explanations 4 % smaller."""
_MAX_CONTENT_BYTES = 1 << 30
"""The largest content, so that damaged bytes cannot decompress without end."""

_DICTIONARIES: dict[bytes, Callable[[], ZstdDict | None]] = {b"z": lambda: None, b"d": dictionary}


class SkipReason(StrEnum):
    """Why a stored entry is skipped."""

    FOREIGN = "foreign"
    DAMAGED = "damaged"
    VERSION = "version"


class Unreadable(Exception):
    """Stored bytes cannot be used. Readers skip them."""

    def __init__(self, reason: SkipReason) -> None:
        self.reason = reason
        super().__init__(reason.value)


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A kind of stored bytes.

    Attributes:
        letter: What it is called in the envelope.
        version: The version of its format that this release writes.
        codec: How its content is compressed: `z` or `d`.
        oldest: The oldest version that this release reads.
    """

    letter: bytes
    version: int
    codec: bytes = b"z"
    oldest: int = 1


RECORD = EntryKind(b"r", 1, b"d")
BODY = EntryKind(b"b", 2, b"d")
BACKGROUND = EntryKind(b"g", 1)
BACKGROUND_NAME = EntryKind(b"n", 1)


def seal(kind: EntryKind, content: bytes) -> bytes:
    """Returns the content in an envelope. Content of some length is compressed."""
    packed = b"p" + content
    if len(content) >= _COMPRESS_FROM_BYTES:
        text = _DICTIONARIES[kind.codec]()
        # A digested dictionary is prepared once, not for every content.
        packed = kind.codec + compress(
            content, _COMPRESSION_LEVEL, zstd_dict=None if text is None else text.as_digested_dict
        )
    return _HEADER.pack(_MAGIC, kind.letter, bytes([kind.version]), zlib.crc32(packed)) + packed


def unseal(kind: EntryKind, data: bytes) -> bytes:
    """Returns the content of an envelope. Raises Unreadable."""
    return unseal_version(kind, data)[1]


def unseal_version(kind: EntryKind, data: bytes) -> tuple[int, bytes]:
    """Returns the version of a content's format, and the content. Raises Unreadable."""
    if len(data) <= _HEADER.size:
        raise Unreadable(SkipReason.FOREIGN)
    magic, letter, version, checksum = _HEADER.unpack_from(data)
    packed = data[_HEADER.size :]
    if (magic, letter) != (_MAGIC, kind.letter):
        raise Unreadable(SkipReason.FOREIGN)
    if zlib.crc32(packed) != checksum:
        raise Unreadable(SkipReason.DAMAGED)
    if not kind.oldest <= version[0] <= kind.version:
        raise Unreadable(SkipReason.VERSION)
    return version[0], _unpack(packed)


def _unpack(packed: bytes) -> bytes:
    codec, content = packed[:1], packed[1:]
    if codec == b"p":
        return content
    if codec not in _DICTIONARIES:
        raise Unreadable(SkipReason.VERSION)
    try:
        return decompress(content, _MAX_CONTENT_BYTES, _DICTIONARIES[codec]())
    except ZstdError as error:
        raise Unreadable(SkipReason.DAMAGED) from error
