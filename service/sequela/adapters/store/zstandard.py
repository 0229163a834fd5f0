"""Zstandard compression: of the standard library from Python 3.14, and of its backport before."""

from __future__ import annotations

import sys
from functools import cache
from importlib.resources import files

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdDict, ZstdError, compress
else:
    from backports.zstd import ZstdDecompressor, ZstdDict, ZstdError, compress

__all__ = ["ZstdDict", "ZstdError", "compress", "decompress", "dictionary"]


def decompress(data: bytes, max_bytes: int, zstd_dict: ZstdDict | None = None) -> bytes:
    """Returns the content of one frame. Raises ZstdError if it is damaged, cut off, or longer than `max_bytes`."""
    decompressor = ZstdDecompressor(zstd_dict)
    content = decompressor.decompress(data, max_bytes)
    if not decompressor.eof or decompressor.unused_data:
        raise ZstdError(f"not one complete frame of at most {max_bytes} bytes")
    return content


@cache
def dictionary() -> ZstdDict:
    """Returns the text that explanations are compressed against: an explanation and a record, as version 1 writes them.

    It halves what an explanation takes. What was compressed with it cannot be read without it, so it never changes.
    """
    text = files("sequela.adapters.store").joinpath("explanation_v1.dictionary").read_bytes()
    return ZstdDict(text, is_raw=True)
