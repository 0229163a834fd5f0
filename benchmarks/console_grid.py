"""How fast the matrix grid follows its slider: from the input event to the end of drawing, in Chromium's own trace.

    python -m benchmarks.console_grid [--chromium PATH]

Two tables are measured, like the paper's (31,008 events) and ten times as large. The thumb of the slider of weights is
dragged in small steps, and jumps between presets. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import CDPSession, Page

from benchmarks.console_bundle import event_table, opened
from benchmarks.machine import this_machine

SEQUENCES = {2_584: 16.0, 25_840: 50.0}
"""Sequences of 12 events, with the budget in milliseconds for 95 of 100 moves."""
MOVES = 150
PAUSE_MILLISECONDS = 60
JUMPS = 20
SETTLE_MILLISECONDS = 8_000
_CATEGORIES = "devtools.timeline,disabled-by-default-devtools.timeline,cc,benchmark,viz,input"
_LOW_THUMB = 'input[aria-label="Weight of an event: from"]'


@dataclass(frozen=True, slots=True)
class Move:
    """One input event, in milliseconds.

    Args:
        waited: from the event's own time until the page got it; a browser hands events on once a frame.
        page: how long the page itself counted and painted.
        drawn: from the event's own time until the frame that shows it was drawn.
    """

    waited: float
    page: float
    drawn: float

    @property
    def rest(self) -> float:
        """What is neither: the browser's own work on the frame, and its wait for the next one."""
        return self.drawn - self.waited - self.page


def main() -> None:
    """Measures both tables, and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    chromium = parser.parse_args().chromium
    print(this_machine())
    for sequences, budget in SEQUENCES.items():
        with opened(chromium, "/cohorts/paper/grid", event_table(sequences)) as page:
            page.wait_for_selector(".matrix", timeout=120_000)
            page.wait_for_timeout(SETTLE_MILLISECONDS)
            print(f"\n{sequences * 12:,} events, 1600 × 1000, {_renderer(page)}")
            _tell("small moves", _traced(page, _drag), budget)
            _tell("jumps", _traced(page, _jump), budget)


def _renderer(page: Page) -> str:
    return str(
        page.evaluate(
            """() => {
              const gl = document.createElement("canvas").getContext("webgl");
              const info = gl?.getExtension("WEBGL_debug_renderer_info");
              return gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "no WebGL";
            }"""
        )
    )


def _drag(page: Page) -> None:
    """Drags the lower thumb to the right and back, one step of the slider at a time."""
    box = page.locator(_LOW_THUMB).bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 8, y)
    page.mouse.down()
    for move in range(MOVES):
        away = min(move, MOVES - move)
        page.mouse.move(box["x"] + 8 + away * 1.3, y)
        page.wait_for_timeout(PAUSE_MILLISECONDS)
    page.mouse.up()


def _jump(page: Page) -> None:
    """Presses the presets one after the other: the whole range, low weights, high weights."""
    for turn in range(JUMPS):
        page.get_by_role(
            "button", name=("Low, 0 to 0.2", "High, 0.6 to 1", "All")[turn % 3], exact=True
        ).first.click()
        page.wait_for_timeout(PAUSE_MILLISECONDS * 5)


def _traced(page: Page, act: Any) -> Sequence[Move]:
    session = page.context.new_cdp_session(page)
    events: list[Mapping[str, Any]] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.send("Tracing.start", {"transferMode": "ReportEvents", "categories": _CATEGORIES})
    act(page)
    _end(page, session)
    return list(_moves(events))


def _end(page: Page, session: CDPSession) -> None:
    done: list[bool] = []
    session.on("Tracing.tracingComplete", lambda _: done.append(True))
    session.send("Tracing.end")
    while not done:
        page.wait_for_timeout(100)


def _moves(events: Sequence[Mapping[str, Any]]) -> Iterator[Move]:
    """Pairs each input event of the slider, or click on a preset, with the end of the drawing of its frame.

    The browser notes when an event arrived (EventLatency), when the page handles it (EventDispatch), when the page has
    painted (Commit), and when the frame is drawn (Display::DrawAndSwap).
    """
    arrivals = sorted(each["ts"] for each in events if each["name"] == "EventLatency" and each["ph"] == "b")
    commits = _whole(events, "Commit")
    draws = _whole(events, "Display::DrawAndSwap")
    for each in _whole(events, "EventDispatch"):
        if each["args"]["data"]["type"] not in ("input", "click"):
            continue
        arrived = arrivals[bisect_right(arrivals, each["ts"]) - 1]
        commit = next((other for other in commits if other["ts"] >= each["ts"]), None)
        draw = commit and next(
            (other for other in draws if other["ts"] >= commit["ts"] + commit["dur"]), None
        )
        if draw:
            waited, drawn = each["ts"] - arrived, draw["ts"] + draw["dur"] - arrived
            yield Move(waited / 1000, each["dur"] / 1000, drawn / 1000)


def _whole(events: Sequence[Mapping[str, Any]], name: str) -> Sequence[Mapping[str, Any]]:
    found = (each for each in events if each["name"] == name and each["ph"] == "X")
    return sorted(found, key=lambda each: each["ts"])


def _tell(what: str, moves: Sequence[Move], budget: float) -> None:
    if not moves:
        print(f"{what:12} the trace has no input events")
        return
    drawn = np.array([each.drawn for each in moves])
    p95 = float(np.percentile(drawn, 95))
    verdict = "within" if p95 <= budget else "ABOVE"
    parts = {name: [getattr(each, name) for each in moves] for name in ("waited", "page", "rest")}
    shares = ", ".join(
        f"{name} {np.median(values):.1f} and {np.percentile(values, 95):.1f}"
        for name, values in parts.items()
    )
    print(
        f"{what:12} {len(moves):4} events: drawn after median {np.median(drawn):.1f} ms, p95 {p95:.1f} ms "
        f"({verdict} {budget:.0f} ms); median and p95 of the parts: {shares}"
    )


if __name__ == "__main__":
    main()
