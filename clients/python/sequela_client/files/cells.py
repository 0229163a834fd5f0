"""Reads one cell of a table as a number, or as a missing value."""

from __future__ import annotations

import math
import re

Cell = str | float | int | bool | None
"""A cell as it is in the file; None is a JSON null."""

# The texts that programs write for a missing value, in lower case.
_MISSING = frozenset(
    {"", "na", "n/a", "<na>", "#n/a", "#na", "nan", "-nan", "null", "none", "nil", "nat", "?", ".", "\\n"}
)

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_THOUSANDS = re.compile(
    "[+-]?[0-9]{1,3}(([, '’\u00a0\u202f][0-9]{3})+(\\.[0-9]+)?|([. '’\u00a0\u202f][0-9]{3})+(,[0-9]+)?)"
)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_WORDS = {"true": 1, "false": 0}


def is_missing(cell: Cell) -> bool:
    """Returns whether the value is missing."""
    if isinstance(cell, str):
        return cell.strip().lower() in _MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def number(cell: Cell, decimal: str = ".") -> float | int:
    """Returns the number in a cell; NaN for a missing value. Raises ValueError if it is not a number."""
    if is_missing(cell):
        return math.nan
    if not isinstance(cell, str):
        # JSON has booleans, which models take as 0 and 1.
        return _finite(cell, int(cell) if isinstance(cell, bool) else cell or 0)
    # Some programs write the typographic minus sign, U+2212.
    text = cell.strip().replace("\u2212", "-")
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    written = text.replace(",", ".") if decimal == "," and "." not in text else text
    # With decimal commas, a point can only be a thousands separator.
    if decimal == "," and "." in text:
        raise ValueError(_why_not(text, decimal))
    if not _NUMBER.fullmatch(written):
        raise ValueError(_why_not(text, decimal))
    return _finite(cell, int(written) if _WHOLE.fullmatch(written) else float(written))


def _finite(cell: Cell, value: float | int) -> float | int:
    if isinstance(cell, float) and math.isinf(cell):
        raise ValueError(f"{cell} is not a finite number")
    try:
        fits = math.isfinite(float(value))
    except OverflowError:
        fits = False
    if not fits:
        raise ValueError(f"{str(cell)[:40]!r} is larger than any number that a model takes")
    return value


def is_number(cell: Cell, decimal: str = ".") -> bool:
    """Returns whether a cell is a number; a missing value is not."""
    try:
        return not is_missing(cell) and number(cell, decimal) is not None
    except ValueError:
        return False


def has_thousands(text: str) -> bool:
    """Returns whether a text may be a number with thousands separators, such as 1,234 or 1.234.567,8."""
    return _THOUSANDS.fullmatch(text.strip()) is not None


def has_decimal_comma(text: str) -> bool:
    """Returns whether a text may be a number with a decimal comma."""
    return _DECIMAL_COMMA.fullmatch(text.strip()) is not None


def _why_not(text: str, decimal: str) -> str:
    if _INFINITE.fullmatch(text):
        return f"{text!r} is not a finite number"
    if decimal == "," and _NUMBER.fullmatch(text):
        return f"{text!r} has a decimal point, but the file was read with decimal commas; use --decimal ."
    if has_thousands(text):
        return f"{text!r} seems to have thousands separators; write the number without them"
    if has_decimal_comma(text):
        return f"{text!r} has a decimal comma, but the file was read with decimal points; use --decimal ,"
    return f"{text!r} is not a number"
