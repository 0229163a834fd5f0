"""The columns of a cohort file: one row for each sequence and variant. docs/bulk.md explains every column.

`VERSION` is raised by changes that programs for older files would misread. A new column at the end is not one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

VERSION = "1"

# Keys of the metadata of a file.
VERSION_KEY = "sequela.cohort_schema"
QUESTION_KEY = "sequela.question"
FEATURES_KEY = "sequela.features"
TARGET_KEY = "sequela.target"
PACKAGE_KEY = "sequela.version"

EXPLAINED, BELOW_MINIMUM, FAILED = "explained", "below_minimum", "failed"
"""The values of the column `status`."""

# Files of a cohort by number.
PART_NAME = "part-{:05d}.parquet"
PART_PATTERN = "part-*.parquet"


def _struct(**fields: Any) -> Any:
    return pa.struct(list(fields.items()))


_VALUE = {"value": pa.float64(), "standard_error": pa.float64()}

PRUNING = _struct(
    tolerance=pa.float64(),
    **_VALUE,
    verdict=pa.string(),
    scan_complete=pa.bool_(),
    curve=pa.list_(_struct(t=pa.int32(), importance=pa.float64())),
)
EVENT = _struct(t=pa.int32(), **_VALUE)
HISTORY = _struct(first_t=pa.int32(), last_t=pa.int32(), **_VALUE)
FEATURE = _struct(feature=pa.string(), **_VALUE)
CELL = _struct(kind=pa.string(), t=pa.int32(), feature=pa.string(), **_VALUE)
LEVEL_QUALITY = _struct(
    stop_reason=pa.string(),
    players=pa.int32(),
    null_players=pa.int32(),
    coalitions=pa.int64(),
    largest_standard_error=pa.float64(),
    additivity_residual=pa.float64(),
    estimator=pa.string(),
)
QUALITY = _struct(event=LEVEL_QUALITY, feature=LEVEL_QUALITY, cell=LEVEL_QUALITY)
REASON = _struct(template=pa.string(), text=pa.string(), feature=pa.string(), t=pa.int32(), **_VALUE)
EVENT_VALUES = _struct(t=pa.int32(), values=pa.list_(pa.string()))

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("checkpoint", pa.string()),
        ("seed", pa.int64()),
        ("explanation", pa.string()),
        ("model", pa.string()),
        ("model_digest", pa.string()),
        ("background", pa.string()),
        ("background_digest", pa.string()),
        ("method_version", pa.string()),
        ("target", pa.string()),
        ("score", pa.float64()),
        ("base_value", pa.float64()),
        ("raw_score", pa.float64()),
        ("raw_base_value", pa.float64()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("length", pa.int32()),
        ("full_length", pa.int32()),
        ("first_positive", pa.int32()),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("pruned_events", pa.int32()),
        ("pruning", PRUNING),
        ("events", pa.list_(EVENT)),
        ("history", pa.list_(HISTORY)),
        ("features", pa.list_(FEATURE)),
        ("static_value", pa.float64()),
        ("static_standard_error", pa.float64()),
        ("cells", pa.list_(CELL)),
        ("quality", QUALITY),
        ("cut_short", pa.bool_()),
        ("warnings", pa.list_(pa.string())),
        ("reasons", pa.list_(REASON)),
        ("event_weights", pa.list_(pa.float64())),
        ("event_values", pa.list_(EVENT_VALUES)),
    ]
)
"""The columns of a cohort file, in their order."""

KEY = ("id", "variant")
"""The columns that identify a row."""


def with_metadata(items: Mapping[str, Any]) -> Any:
    """The schema with metadata.

    Args:
        items: values by key; values that are not strings are written as JSON.
    """
    texts = {key: value if isinstance(value, str) else _json(value) for key, value in items.items()}
    return SCHEMA.with_metadata({VERSION_KEY: VERSION, **texts})


def metadata(schema: Any) -> dict[str, str]:
    """The metadata of a file's schema that are Sequela's, by key."""
    held = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    return {key: value for key, value in held.items() if key.startswith("sequela.")}


def _json(value: Any) -> str:
    # The same value always gives the same text, since parts are compared byte for byte.
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
