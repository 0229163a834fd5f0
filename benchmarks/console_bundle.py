"""The console's front end in a browser with a made-up cohort, without a service: for measurements of its pages."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, Route, sync_playwright

STATIC = Path(__file__).resolve().parent.parent / "clients/console/sequela_console/static"
ORIGIN = "http://console.localhost"
ATTRIBUTES = 14
STEPS = 12
LEVELS = (5, 8, 12, 9, 6, 13, 10, 7, 11, 9, 8, 12, 6, 10)
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def event_table(sequences: int, seed: int = 1) -> bytes:
    """Returns a table of events like the paper's data: 14 attributes, 9 levels on average, 12 steps."""
    rng = np.random.default_rng(seed)
    events = sequences * STEPS
    positive = (rng.random(sequences) < 0.4).astype(np.uint8)
    step = np.tile(np.arange(STEPS, dtype=np.uint8), sequences)
    late = step / STEPS * np.repeat(positive, STEPS)
    levels = [
        (rng.random(events) ** (2 + late * (place % 3)) * count).astype(np.uint8)
        for place, count in enumerate(LEVELS)
    ]
    columns: list[NDArray[Any]] = [
        np.repeat(np.arange(sequences, dtype="<u4"), STEPS),
        np.rint(rng.random(events) ** 2 * 65535).astype("<u2"),
        step,
        np.concatenate(levels),
        positive,
        np.arange(sequences, dtype="<u4"),
        np.zeros(sequences, np.uint8),
    ]
    header = json.dumps(_header(events, positive)).encode()
    header += b" " * (-(4 + len(header)) % 8)
    padded = (each.tobytes() + b"\0" * (-each.nbytes % 4) for each in columns)
    return struct.pack("<I", len(header)) + header + b"".join(padded)


def _header(events: int, positive: NDArray[np.uint8]) -> Mapping[str, Any]:
    positives = int(positive.sum())
    return {
        "version": 1,
        "variants": ["original"],
        "events": events,
        "sequences": len(positive),
        "steps": STEPS,
        "stepDtype": "uint8",
        "attributes": [
            {
                "name": f"attribute_{place}",
                "label": f"Attribute {chr(65 + place)}",
                "unit": "",
                "kind": "ordinal",
                "levels": [str(level) for level in range(count)],
            }
            for place, count in enumerate(LEVELS)
        ],
        "class": {
            "name": "outcome",
            "positive": "churn",
            "negative": "loyal",
            "positives": positives,
            "negatives": len(positive) - positives,
        },
        "weight": {"kind": "attribution", "text": "made up", "maximum": 65535},
        "leftOut": dict.fromkeys(
            ("prunedEvents", "sequencesWithoutClass", "olderEvents", "unmatched", "eventsWithoutWeight"), 0
        ),
    }


def _answers(table: bytes) -> Mapping[str, Callable[[], bytes]]:
    session = {
        "nameVerified": False,
        "ready": True,
        "loginNeeded": False,
        "name": "benchmark",
        "roles": ["read"],
        "service": {"state": "up", "address": "", "message": ""},
        "version": "0",
        "index": {"alerts": 0, "pending": 0, "complete": True, "updated": None},
        "cohorts": 1,
    }
    cohort = {
        "name": "paper",
        "title": "paper",
        "variants": ["original"],
        "problem": "",
        "labels": {"outcome": [{"value": "churn", "count": 1}, {"value": "loyal", "count": 1}]},
        "features": [],
        "eventWeights": True,
        "levels": ["event"],
        "values": True,
        "suggested": {"label": "outcome", "positive": "churn", "variant": "original", "threshold": 0.5},
    }
    return {
        "/api/session": lambda: json.dumps(session).encode(),
        "/api/cohorts/paper": lambda: json.dumps(cohort).encode(),
        "/api/cohorts/paper/event-table": lambda: table,
    }


@contextmanager
def opened(chromium: str, path: str, table: bytes, size: tuple[int, int] = (1600, 1000)) -> Iterator[Page]:
    """Opens a page of the committed front end in Chromium; the cohort is called "paper", and has this table."""
    answers = _answers(table)

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url).path
        if asked in answers:
            route.fulfill(body=answers[asked](), content_type="application/json")
        elif asked.startswith("/assets/"):
            file = STATIC / asked.removeprefix("/")
            route.fulfill(body=file.read_bytes(), content_type=_TYPES[file.suffix])
        elif asked.startswith("/api/"):
            route.fulfill(
                status=404, json={"error": {"reason": "NONE", "message": "not part of the measurement"}}
            )
        else:
            route.fulfill(body=(STATIC / "index.html").read_bytes(), content_type="text/html")

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.route("**/*", answer)
        page.goto(ORIGIN + path)
        try:
            yield page
        finally:
            browser.close()
