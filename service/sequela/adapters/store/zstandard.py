"""Zstandard compression: of the standard library from Python 3.14, and of its backport before."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError, compress
else:
    from backports.zstd import ZstdDecompressor, ZstdError, compress

__all__ = ["ZstdError", "compress", "decompress"]


def decompress(data: bytes, max_bytes: int) -> bytes:
    """Returns the content of one frame. Raises ZstdError if it is damaged, cut off, or longer than `max_bytes`."""
    decompressor = ZstdDecompressor()
    content = decompressor.decompress(data, max_bytes)
    if not decompressor.eof or decompressor.unused_data:
        raise ZstdError(f"not one complete frame of at most {max_bytes} bytes")
    return content
