"""Decodes a text file: as the caller says, as its byte order mark says, or as UTF-8."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The first bytes of other kinds of files, which sometimes have the name of a text file.
_OTHERS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook; save it as CSV"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"PAR1", "a Parquet file; write it as CSV first: pandas.read_parquet(path).to_csv(…, index=False)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
    (b"\x93NUMPY", "a numpy file; name it .npy"),
)


def decode_text(raw: bytes, encoding: str | None) -> str:
    """Decodes the bytes of a file. Raises ValueError if they are not in the encoding, or not text at all."""
    for start, what in _OTHERS:
        if raw.startswith(start):
            raise ValueError(f"this is {what}")
    if encoding:
        return _as_said(raw, encoding)
    for mark, marked in _MARKS:
        if raw.startswith(mark):
            return _as_said(raw, marked)
    # UTF-8 text has no zero bytes; UTF-16 without a mark has one beside every Latin letter.
    if b"\0" in raw:
        raise ValueError(
            "it has zero bytes, like UTF-16 without a byte order mark; save it as UTF-8, or use --encoding utf-16-le"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8, or name its "
            "encoding: --encoding cp1252 (Excel on Windows), --encoding latin-1"
        ) from error


def _as_said(raw: bytes, encoding: str) -> str:
    try:
        # utf-16-le and similar encodings leave the byte order mark in the text.
        return raw.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise ValueError(
            f"--encoding must be the name of an encoding (utf-8, utf-16, latin-1, cp1252, …), not {encoding!r}"
        ) from error
    except UnicodeError as error:
        raise ValueError(f"it is not encoded as {encoding}: {error}") from error
