"""Turns the tables of reports into text, with readable headings and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, log10
from typing import Any

# How numbers are written depends on the name of their column: as a percentage, with one digit, or with a sign.
PERCENT = re.compile(
    r"(.*_)?share(_before|_after|_positive)?|.*(_rate|_rate_low|_rate_high)|beyond|exact|target|budget|deadline"
)
ONE_DIGIT = re.compile(r".*(length|players|coalitions|_events)|median_t|mean_t|degrees")
SIGNED = re.compile(
    r"(mean|median|p05|q25|q75|p95|minimum|maximum)|change|low|high|(mean|change|difference)_(before|after|first|second|value)"
)
AS_WRITTEN = {"tolerance", "p_value", "p_adjusted", "largest_residual", "rsd", "paper_rsd"}
NUMERIC = {"double", "float", "int64", "int32", "uint64"}
HEADINGS = {
    "mean_latest": "mean φ₀",
    "mean_difference": "mean f(X) − f(B)",
    "ratio_of_means": "ratio of means",
    "ratio_of_means_standard_error": "its standard error",
    "n_ratios": "sequences with a ratio",
    "mean_of_ratios_standard_error": "its standard error",
    "q25_of_ratios": "25 % of ratios",
    "q75_of_ratios": "75 % of ratios",
    "mean_score_difference_standard_error": "its standard error",
    "p05_rank_correlation": "5 % rank correlation",
    "p05": "5 %",
    "q25": "25 %",
    "q75": "75 %",
    "p95": "95 %",
    "spread": "spread over sequences",
    "sampling_error": "sampling error of one",
    "n_explained": "explained",
    "incomplete": "left out",
    "tolerance": "η",
    "rsd": "RSD",
    "paper_rsd": "RSD (paper)",
    "rsd_players": "players of the RSD",
    "rsd_seeds": "seeds of the RSD",
    "p_value": "p",
    "p_adjusted": "p, corrected",
    "low": "95 % from",
    "high": "to",
    "positive_rate_low": "95 % from",
    "positive_rate_high": "to",
    "false_positive_rate_low": "95 % from",
    "false_positive_rate_high": "to",
}


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts.

    Args:
        caption: what it shows.
        headings: of the columns.
        rows: the cells.
        numeric: for each column, whether it holds numbers.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def text_table(table: Any, caption: str, columns: Sequence[str] = ()) -> TextTable:
    """Turns a pyarrow Table into text.

    Args:
        table: the Table.
        caption: what it shows.
        columns: the columns to show; empty: all of them.
    """
    chosen = table.select(list(columns)) if columns else table
    names = chosen.column_names
    cells = [_column(name, chosen[name].to_pylist()) for name in names]
    numeric = tuple(str(chosen.schema.field(name).type) in NUMERIC for name in names)
    return TextTable(caption, tuple(map(heading, names)), tuple(zip(*cells, strict=True)), numeric)


def sideways(table: Any, caption: str) -> TextTable:
    """Turns a pyarrow Table of one row into a table of two columns, names and values."""
    single = text_table(table, caption)
    rows = tuple(zip(single.headings, single.rows[0], strict=True)) if single.rows else ()
    return TextTable(caption, ("quantity", "value"), rows, (False, True))


def upright(table: Any, caption: str) -> tuple[TextTable, ...]:
    """Turns each row of a pyarrow Table into a table of names and values. It suits rows of long texts."""
    return tuple(
        replace(sideways(table.slice(place, 1), caption), numeric=(False, False))
        for place in range(table.num_rows)
    )


def heading(name: str) -> str:
    """Returns the heading of a column with this name."""
    if name in HEADINGS:
        return HEADINGS[name]
    words = name.removeprefix("paper_").replace("_", " ")
    return f"{words} (paper)" if name.startswith("paper_") else words


def _column(name: str, values: list[Any]) -> list[str]:
    finite = [abs(each) for each in values if isinstance(each, float) and isfinite(each)]
    # All numbers of a column have as many decimals as give the largest one four digits.
    digits = int(min(max(3 - floor(log10(max(finite))), 0), 8)) if finite and max(finite) > 0 else 0
    return [_cell(name, each, digits) for each in values]


def _cell(name: str, value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return "–"
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return _number(name, value, digits)
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _number(name: str, value: float, digits: int) -> str:
    if PERCENT.fullmatch(name):
        return f"{value:.1%}"
    if ONE_DIGIT.fullmatch(name):
        return f"{value:,.1f}".removesuffix(".0")
    if name in AS_WRITTEN:
        return f"{value:.3g}"
    return f"{value:{'+' if SIGNED.fullmatch(name) else ''}.{digits}f}"
