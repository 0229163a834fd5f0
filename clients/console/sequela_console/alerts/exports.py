"""Files to keep or to pass on: an explanation as JSON or CSV, and the labels that people gave alerts."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from sequela_console.alerts.documents import read_explanation
from sequela_console.alerts.parameters import alert_id, flag, text
from sequela_console.alerts.redaction import REDACTED, redacted
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.http.json_answer import json_response
from sequela_console.state.labels import all_labels
from sequela_console.state.trail import record

_LABEL_COLUMNS = (
    *("alert", "caller_id", "model", "model_digest", "target", "score", "threshold", "explained_at"),
    *(
        "verdict",
        "is_latest_decision",
        "note",
        "reason_kind",
        "reason_t",
        "reason_feature",
        "reason_template",
    ),
    *("who", "who_is_verified", "when"),
)


def export_json(console: Console, question: Question) -> Response:
    """Answers GET /api/alerts/{id}/export.json: the file that `Explanation.to_json` gives."""
    id, explanation = _exported(console, question, "JSON")
    return _file(explanation.to_json(), "application/json", f"{id}.json")


def export_csv(console: Console, question: Question) -> Response:
    """Answers GET /api/alerts/{id}/export.csv: the file that `Explanation.to_csv` gives."""
    id, explanation = _exported(console, question, "CSV")
    return _file(explanation.to_csv(), "text/csv", f"{id}.csv")


def labels_csv(console: Console, question: Question) -> Response:
    """Answers GET /api/labels.csv: every label of every alert, the oldest first; with `redact`, without names."""
    file = io.StringIO()
    writer = csv.DictWriter(file, _LABEL_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in _exported_labels(console, question, "CSV"):
        writer.writerow({name: inert(value) for name, value in row.items()})
    return _file(file.getvalue(), "text/csv", "labels.csv")


def labels_json(console: Console, question: Question) -> Response:
    """Answers GET /api/labels.json: every label of every alert, the oldest first; with `redact`, without names."""
    response = json_response(list(_exported_labels(console, question, "JSON")))
    response.headers["Content-Disposition"] = 'attachment; filename="labels.json"'
    return response


def _exported_labels(console: Console, question: Question, kind: str) -> Iterator[Mapping[str, Any]]:
    hides = flag(question.query, "redact") or False
    record(console.state, "", "exported", question.visitor, f"labels as {kind}{', redacted' * hides}")
    rows = label_rows(all_labels(console.state, text(question.query, "target")))
    return redacted_labels(rows) if hides else rows


def redacted_labels(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yields labels without ids, notes and people. Alerts are numbered, so that what belongs together can be seen."""
    numbers: dict[str, int] = {}
    for row in rows:
        number = numbers.setdefault(row["alert"], len(numbers) + 1)
        yield {**row, "alert": str(number), "caller_id": "", "note": "", "who": ""}


def label_rows(rows: Iterable[sqlite3.Row]) -> Iterator[Mapping[str, Any]]:
    """Yields labels with the columns of the files."""
    for row in rows:
        reason = json.loads(row["reason"]) or {}
        yield {
            "alert": row["alert"],
            "caller_id": row["caller_id"],
            "model": row["model"],
            "model_digest": row["model_digest"],
            "target": row["shown_target"],
            "score": row["shown_score"],
            "threshold": row["threshold"],
            "explained_at": _time(row["created"]),
            "verdict": row["verdict"],
            "is_latest_decision": bool(row["latest"]),
            "note": row["note"],
            **{f"reason_{part}": reason.get(part) for part in ("kind", "t", "feature", "template")},
            "who": row["who"],
            "who_is_verified": bool(row["verified"]),
            "when": _time(row["at"]),
        }


def inert(value: object) -> str:
    """Returns a cell that no spreadsheet runs as a formula: callers and colleagues wrote some of the texts."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value) if isinstance(value, float) else str(value)
    return f"'{value}" if value[:1] in ("=", "@", "+", "-", "\t", "\r") else value


def _exported(console: Console, question: Question, kind: str) -> tuple[str, Any]:
    id = alert_id(question.path)
    hides = flag(question.query, "redact") or False
    explanation = read_explanation(console, question.visitor, id)
    record(console.state, id, "exported", question.visitor, f"{kind}{', redacted' * hides}")
    return (REDACTED, redacted(explanation)) if hides else (f"explanation-{id}", explanation)


def _file(content: str, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)


def _time(seconds: float | None) -> str:
    # A label of an older version has no such time if its alert had already left the list.
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
