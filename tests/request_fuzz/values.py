"""Strange values of each type, and strange pieces of bytes."""

from __future__ import annotations

import random

INT32 = (0, 1, -1, 2, 63, 65, 1_000, 2**31 - 1, -(2**31))
INT64 = (*INT32, 2**53 + 1, 2**62, 2**63 - 1, -(2**63))
UINT32 = (0, 1, 2**31, 2**32 - 1)
UINT64 = (*UINT32, 2**63, 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 1e17)
TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "x" * 257,
    "x" * 70_000,
    "../../etc/passwd",
    "models/",
    "models/gru",
    "models/gru/versions/99999999999999999999",
    "models/gru/versions/-1",
    "models/gru/backgrounds/usual",
    "models/nobody/backgrounds/b",
    "explanations/",
    "explanations/" + "0" * 32,
    "events",
    "score",
    "FP32",
    "BYTES",
    "grpc://127.0.0.1:1/m",
    "NaN",
    "-1",
    "1e999",
    "{}",
    "[" * 2_000,
    "a\r\nb",
    "\u202e\U0010ffff\ufeff",
    "é" * 300,
    "%s%n%00",
)
BYTES = (b"", b"\x00", b"\xff" * 7, bytes(4_096), b"{", b'{"version": 1}', b"\x08\x07" * 50, b"[" * 5_000)
COUNTS = (2, 3, 65, 1_025, 5_000)
"""How often an element is repeated. The limits of most lists lie between them."""

HALF_SURROGATES = (b"\xed\xa0\x80", b"\xed\xbf\xbf")
SPLICES = (
    *HALF_SURROGATES,
    b"\\ud800",
    b"\\udfff\\ud800",
    b"\xff",
    b"\xc0\x80",
    b"\x00",
    b"\\u0000",
    b"1e999",
    b"-0",
    b"NaN",
    b"Infinity",
    b"[" * 40,
    b'{"a":' * 40,
    b"9" * 400,
    b"18446744073709551616",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\r\n\r\n",
)


def splice(content: bytes, piece: bytes, rng: random.Random) -> bytes:
    """Puts a piece somewhere, over none, one or two bytes, or over as many as it has."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + piece + content[place + rng.choice((0, 1, 2, len(piece))) :]
