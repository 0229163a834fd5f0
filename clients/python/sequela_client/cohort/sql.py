"""Writes values into SQL safely, and holds expressions that several reports use."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from sequela_client.errors import CallerError

# A table that a query reads: a SELECT in brackets.
Relation = str


def text(value: str) -> str:
    """Returns a string as a SQL literal. A doubled quote is the only escape in DuckDB's literals."""
    # A zero byte would end the statement. No name in a Parquet file has one.
    return "'" + value.replace("\0", "").replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    """Returns a list of strings as a SQL literal."""
    return f"[{', '.join(map(text, values))}]::VARCHAR[]"


def number(name: str, value: float) -> str:
    """Returns an argument as a SQL literal. Raises CallerError if it is not a finite number, for which SQL has none."""
    if not isfinite(value):
        raise CallerError(f"{name}: must be a finite number, not {value!r}")
    return f"{float(value)!r}::DOUBLE"


def label(name: str) -> str:
    """Returns SQL for the value of a label of a row; NULL if the row has none."""
    return f"labels[{text(name)}]"


# The score of a row in the units of its attributions, so after the link. NaN becomes NULL, since DuckDB orders NaN
# above all numbers.
SCORE = "CASE WHEN isfinite(score) THEN score END"
# The model's own output, which is what thresholds are about.
RAW_SCORE = "CASE WHEN isfinite(raw_score) THEN raw_score END"


def distribution(value: str) -> str:
    """Returns SQL for the columns that describe the distribution of a value over sequences."""
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
    """Returns SQL for the root mean square of the standard errors of single explanations."""
    return f"sqrt(avg(pow({standard_error}, 2)))"
