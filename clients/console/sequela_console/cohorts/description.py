"""The description of a cohort, which pages show before any figure is requested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sequela_client.alert_document.model_name import model_words
from sequela_client.alert_document.threshold import threshold_setting
from sequela_client.cohort import sql
from sequela_client.cohort.reports.event_weights import has_event_weights
from sequela_client.errors import CallerError

from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.cohort_files.open_cohort import OpenCohort

# Values of a label that are listed; rarer ones can still be found by search.
MOST_VALUES = 50
# Words that usually stand for the positive class, in small letters.
_POSITIVE_WORDS = frozenset({"1", "true", "yes", "y", "positive", "fraud", "takeover", "alert", "bad"})
DEFAULT_THRESHOLD = 0.5
# Lists of values are short texts, so this is enough for the cache.
_BYTES = 10_000


def cards(catalogue: CohortCatalogue) -> list[Mapping[str, Any]]:
    """Returns a line for each cohort. One that cannot be read has a line that says why."""
    found = []
    for name in sorted(catalogue.folders):
        try:
            found.append(card_of(catalogue.cohort(name)))
        except CallerError as error:
            found.append(_broken(name, str(error)))
    return found


def card_of(cohort: OpenCohort) -> Mapping[str, Any]:
    """Returns the line of a cohort, a CohortCard."""
    found: Mapping[str, Any] = cohort.cache.get("card", lambda: _card(cohort), lambda _: _BYTES)
    return found


def _card(cohort: OpenCohort) -> Mapping[str, Any]:
    counted = cohort.query(
        "SELECT count(DISTINCT id) AS sequences, count_if(status = 'explained') AS explained, "
        f"{_iso('min(time)')} AS first, {_iso('max(time)')} AS last FROM {cohort.rows.rows}"
    ).to_pylist()[0]
    return {
        **_broken(cohort.name, ""),
        "sequences": counted["sequences"],
        "explained": int(counted["explained"]),
        "variants": cohort.variants,
        "target": cohort.target.text,
        "model": model_words(str(cohort.rows.database.question.get("model") or "")),
        "from": counted["first"],
        "to": counted["last"],
    }


def _iso(time: str) -> str:
    # The times of the files are in UTC, and so are those of the pages.
    return f"strftime(make_timestamp(epoch_us({time})), '%Y-%m-%dT%H:%M:%S+00:00')"


def _broken(name: str, problem: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.replace("_", " "),
        "sequences": 0,
        "explained": 0,
        "variants": [],
        "target": "",
        "model": "",
        "from": None,
        "to": None,
        "problem": problem,
    }


def description_of(cohort: OpenCohort, thresholds: Mapping[str, float]) -> Mapping[str, Any]:
    """Returns what the pages say about a cohort, a CohortDescription.

    Args:
        cohort: the cohort.
        thresholds: the operator's thresholds by model; "" for all others.
    """
    found: Mapping[str, Any] = cohort.cache.get(
        ("description", tuple(sorted(thresholds.items()))),
        lambda: _description(cohort, thresholds),
        lambda _: _BYTES,
    )
    return found


def _description(cohort: OpenCohort, thresholds: Mapping[str, float]) -> Mapping[str, Any]:
    labels = _labels(cohort)
    facts = cohort.query(
        "SELECT coalesce(min(length), 0) AS min, coalesce(median(length), 0) AS median, "
        "coalesce(max(length), 0) AS max, coalesce(sum(pruned_events) / nullif(sum(length), 0), 0) AS pruned, "
        "count(events) > 0 AS event, count(features) > 0 AS feature, count(cells) > 0 AS cell, "
        f"count(event_values) > 0 AS shown FROM {cohort.rows.explained}"
    ).to_pylist()[0]
    return {
        **card_of(cohort),
        "labels": labels,
        "features": cohort.features,
        "length": {name: facts[name] for name in ("min", "median", "max")},
        "statuses": [
            {"status": row["status"], "count": row["n"]} for row in cohort.rows.statuses().to_pylist()
        ],
        "eventWeights": has_event_weights(cohort.rows),
        "prunedShare": float(facts["pruned"]),
        "levels": [name for name in ("event", "feature", "cell") if facts[name]],
        "values": facts["shown"],
        "firstPositive": cohort.rows.database.question.get("first_positive") is not None,
        "suggested": _suggested(cohort, labels, thresholds),
    }


def _labels(cohort: OpenCohort) -> dict[str, list[dict[str, Any]]]:
    """Returns the values of each label with counts over sequences: the most frequent first, then as in the files."""
    return {
        name: cohort.query(
            f"SELECT {sql.label(name)} AS value, count(DISTINCT id) AS count FROM {cohort.rows.rows} "
            f"WHERE value IS NOT NULL GROUP BY value ORDER BY count DESC, min(row), value LIMIT {MOST_VALUES}"
        ).to_pylist()
        for name in cohort.rows.label_names()
    }


def _suggested(
    cohort: OpenCohort, labels: Mapping[str, list[dict[str, Any]]], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    label, positive = _likely_class(labels)
    variants = cohort.variants
    return {
        "label": label,
        "positive": positive,
        # Checkpoints are in the order of their training, so the last one is the model that was trained longest.
        "variant": sorted(variants, key=_natural)[-1] if variants else "",
        # 0 is a threshold, too, such as of log-odds; a score of unknown scale has none.
        "threshold": threshold_of(cohort, thresholds)["value"],
    }


def _natural(name: str) -> tuple[Any, ...]:
    digits = "".join(each if each.isdigit() else " " for each in name).split()
    return (*map(int, digits), name)


def _likely_class(labels: Mapping[str, list[dict[str, Any]]]) -> tuple[str, str]:
    """Returns a label with two values and the one of them that is likely the positive class."""
    pairs = {name: [each["value"] for each in found] for name, found in labels.items() if len(found) == 2}
    for name, values in pairs.items():
        if word := next((each for each in values if each.lower() in _POSITIVE_WORDS), None):
            return name, word
    # Without a known word the rarer value is taken: alerts are rarer than what is not.
    return next(((name, values[-1]) for name, values in pairs.items()), ("", ""))


def threshold_of(cohort: OpenCohort, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Returns the threshold of the cohort's model with its source, a Threshold."""
    set_by_operator = threshold_setting(str(cohort.rows.database.question.get("model") or ""), thresholds)
    if set_by_operator is not None:
        return {"value": set_by_operator, "source": "setting"}
    asked = cohort.rows.database.question.get("first_positive")
    if asked is not None:
        # The run itself looked for the first prediction above this score.
        return {"value": float(asked), "source": "setting"}
    within = cohort.rows.value(
        f"SELECT coalesce(bool_and(raw_score BETWEEN 0 AND 1), true) FROM {cohort.rows.explained}"
    )
    return {"value": DEFAULT_THRESHOLD, "source": "default"} if within else {"value": None, "source": "none"}
