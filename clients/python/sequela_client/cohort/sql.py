"""Pieces of SQL, and values that are written into SQL safely."""

from __future__ import annotations

from collections.abc import Iterable

# A table that a query reads: a SELECT in brackets.
Relation = str


def text(value: str) -> str:
    """A string as a SQL literal. DuckDB has no escapes in such literals but the doubled quote."""
    # A zero byte ends a statement for the parser, and is in no name that Parquet files hold.
    return "'" + value.replace("\0", "").replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    """A list of strings as a SQL literal."""
    return f"[{', '.join(map(text, values))}]::VARCHAR[]"


def label(name: str) -> str:
    """The value of a label of a row; NULL if the row has none."""
    return f"labels[{text(name)}]"


# A row's score; NULL instead of NaN, since SQL orders NaN above all numbers and would call it an alert.
SCORE = "CASE WHEN isfinite(score) THEN score END"


def distribution(value: str) -> str:
    """Columns that describe how a value is distributed over sequences."""
    quantiles = {"p05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "p95": 0.95}
    columns = [f"quantile_cont({value}, {share}::DOUBLE) AS {name}" for name, share in quantiles.items()]
    return ", ".join(
        [
            f"avg({value}) AS mean",
            f"stddev_samp({value}) AS spread",
            f"stddev_samp({value}) / sqrt(count({value})) AS standard_error",
            *columns,
            f"min({value}) AS minimum",
            f"max({value}) AS maximum",
        ]
    )


def sampling_error(standard_error: str) -> str:
    """The root mean square of the standard errors of single explanations."""
    return f"sqrt(avg(pow({standard_error}, 2)))"
