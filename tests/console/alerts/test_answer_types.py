"""Real answers of the API are what `api/types.ts` says: the compiler of TypeScript compares them.

An answer is written as a literal into a file, and given its type. A field that is missing, misnamed, of another type or
not declared is an error of the compiler.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from console.alerts.conftest import AlertConsole

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "clients" / "console" / "web"
OPTIONS = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext")


def answers(alerts: AlertConsole) -> list[tuple[str, Any]]:
    """Answers with the names of their types; each route of alerts that answers with JSON is asked."""
    id = alerts.id_of("takeover-47")
    at = f"/api/alerts/{id}"
    decision = alerts.post(f"{at}/labels", verdict="fraud", previous=None)
    reason = {"kind": "cell", "t": 0, "feature": "device", "template": "default"}
    alerts.post(f"{at}/labels", verdict="reason_wrong", reason=reason, note="no")
    conflict = alerts.http.post(f"{at}/labels", json={"verdict": "fraud", "previous": None})
    edits = [{"t": 0, "feature": "amount", "to": 10}]
    return [
        ("AlertPage", alerts.get("/api/alerts", limit=5)),
        ("AlertDocument", alerts.get(at)),
        ("Neighbours", alerts.get(f"{at}/neighbours")),
        ("AlertLabel", decision),
        ("AlertLabel[]", alerts.get(f"{at}/labels")),
        ("ApiError", conflict.json()),
        ("ScoreResult", alerts.post(f"{at}/score", edits=edits)),
        ("AlertDocument", alerts.post(f"{at}/explain", edits=edits, options={"refine_history": True})),
        ("ReplayResult", alerts.post(f"{at}/replay")),
        ("ChangesResult", alerts.post(f"{at}/changes", max_rows=500)),
        ("SimilarAlert[]", alerts.get(f"{at}/similar", limit=3)),
        ("TrailEntry[]", alerts.get(f"{at}/trail")),
        ("EmbedLink", alerts.post(f"{at}/embed-link")),
        ("NamedChoice[]", alerts.get("/api/models")),
        ("NamedChoice[]", alerts.get("/api/backgrounds")),
        ("ShortLink", alerts.post("/api/links", path="/alerts", state={})),
        ("IndexState", alerts.get("/api/index")),
        ("Session", alerts.get("/api/session")),
    ]


def written(found: list[tuple[str, Any]]) -> str:
    """A file in which each answer is given its type."""
    names = sorted({kind.removesuffix("[]") for kind, _ in found})
    lines = [f'import type {{ {", ".join(names)} }} from "./types";']
    lines += [
        f"export const answer{place}: {kind} = {json.dumps(value)};"
        for place, (kind, value) in enumerate(found)
    ]
    return "\n".join(lines)


def compiled(folder: Path, content: str) -> subprocess.CompletedProcess[str]:
    """Has the compiler read a file beside the types."""
    for each in (WEB / "src" / "api").glob("*ypes.ts"):
        shutil.copy(each, folder / each.name)
    file = folder / "answers.ts"
    file.write_text(content, encoding="utf-8")
    node = shutil.which("node", path=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    compiler = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    if node is None or not compiler.is_file():
        pytest.skip("node and the packages of the front end are not installed: run make console-web")
    return subprocess.run(
        [node, str(compiler), *OPTIONS, str(file)], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_answers_have_their_types(alerts: AlertConsole, tmp_path: Path) -> None:
    found = answers(alerts)
    result = compiled(tmp_path, written(found))
    assert result.returncode == 0, result.stdout[:5000]
    # The check itself must fail where it should.
    page = found[0][1]
    for wrong in (
        {**page, "totals": 5},
        {name: value for name, value in page.items() if name != "total"},
        {**page, "total": "5"},
    ):
        assert compiled(tmp_path, written([("AlertPage", wrong)])).returncode != 0


def test_routes_that_answer_without_json(alerts: AlertConsole) -> None:
    """What the page only tells the console has no content."""
    id = alerts.id_of("takeover-20")
    for path, body in (("opened", {}), ("shared", {"as": "png"})):
        answer = alerts.http.post(f"/api/alerts/{id}/{path}", json=body)
        assert (answer.status_code, answer.content) == (httpx.codes.NO_CONTENT, b"")
