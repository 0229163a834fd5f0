"""How long the console's graphs take from an input to the end of drawing, in Chromium, with the bundle of this tree.

    python -m benchmarks.console_graph --chromium /usr/bin/chromium

moves the slider of the weights on the page of the grid, with the column of single graphs and the graph of a pair open,
at the size of the paper's data (31,008 events) and at ten times that. It prints a line for each figure: the renderer,
the distinct edges, and the time from the slider's event to the first frame after the figure is on the page.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.sync_api import Page

from benchmarks.console_bundle import event_table, opened

SEQUENCES = (2584, 25840)
"""The paper's data, and ten times that; twelve events each."""
PAIR = {"primary": "attribute_1", "secondary": "attribute_2"}
FIGURES = {"single": ("Graphs of single attributes", {}), "pair": ("Graph of Attribute", {"pair": PAIR})}
"""The beginnings of the figures' names on the page, and what the address says to show them."""

# Resolves with the milliseconds from the event of the slider to the frame after the figure was no longer busy.
MOVE = """
async ({ name, value }) => {
  const figure = document.querySelector(`[role=application][aria-label^="${name}"]`);
  const slider = document.querySelector('input[type=range]');
  const frame = () => new Promise(requestAnimationFrame);
  const drawn = new Promise(resolve => {
    let busy = false;
    new MutationObserver((_, observer) => {
      const now = figure.getAttribute('aria-busy') === 'true';
      if (busy && !now) { observer.disconnect(); resolve(); }
      busy ||= now;
    }).observe(figure, { attributes: true, attributeFilter: ['aria-busy'] });
  });
  const start = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input', { bubbles: true }));
  await drawn;
  await frame();
  await frame();
  return performance.now() - start;
}
"""
DETAILS = """
figure => figure.closest('section').querySelector('[data-renderer]')
  .parentElement.textContent.replace(/\\s+/g, ' ').trim()
"""


@dataclass(frozen=True)
class Timing:
    """The times of one figure, in milliseconds, and what its details say."""

    events: int
    figure: str
    median_ms: float
    p95_ms: float
    details: str

    def __str__(self) -> str:
        return (
            f"{self.events:>9,} events  {self.figure:<7} median {self.median_ms:7.0f} ms  "
            f"p95 {self.p95_ms:7.0f} ms  {self.details}"
        )


def address(state: Mapping[str, Any]) -> str:
    """The page of the grid in a state."""
    text = json.dumps({"v": 1, **state}).encode()
    return "/cohorts/paper/grid?v=" + base64.urlsafe_b64encode(text).decode().rstrip("=")


def timings(chromium: str, sequences: int, moves: int) -> Iterator[Timing]:
    """Measures each figure at one size."""
    table = event_table(sequences)
    for kind, (name, state) in FIGURES.items():
        with opened(chromium, address(state), table) as page:
            page.set_default_timeout(300_000)
            figure = page.locator(f'[role=application][aria-label^="{name}"][aria-busy=false]')
            figure.wait_for()
            page.wait_for_timeout(2000)  # the other figure is drawn
            took = [_moved(page, name, 0.01 * (move + 1)) for move in range(moves)]
            median, p95 = np.quantile(took, (0.5, 0.95))
            yield Timing(12 * sequences, kind, float(median), float(p95), figure.evaluate(DETAILS))


def _moved(page: Page, name: str, value: float) -> float:
    took: float = page.evaluate(MOVE, {"name": name, "value": f"{value:.2f}"})
    page.wait_for_timeout(500)  # the other figures finish meanwhile
    return took


def main() -> None:
    """Prints the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--moves", type=int, default=12, help="moves of the slider for each figure")
    parser.add_argument("--sequences", type=int, nargs="+", default=SEQUENCES)
    chosen = parser.parse_args()
    for sequences in chosen.sequences:
        for timing in timings(chosen.chromium, sequences, chosen.moves):
            print(timing, flush=True)


if __name__ == "__main__":
    main()
