"""An explanation, which can be printed and written as JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sequela_client import export, frames
from sequela_client.attributions import LevelAttributions, StopReason
from sequela_client.explanation_record import ExplanationRecord
from sequela_client.pages.alert import alert_html
from sequela_client.pages.notebook import explanation_html
from sequela_client.plots.alert import AlertFigures

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# How many scores `repr` shows.
_MOST_TARGETS = 3


@dataclass(frozen=True, slots=True, repr=False)
class Explanation(ExplanationRecord):
    """Why a sequence has its score: what each event, feature and cell contributed to it."""

    def __repr__(self) -> str:
        """A few lines, with all warnings; `to_json` has everything."""
        # Below the minimum score, the base value is not computed.
        base = "{0.name} {0.base_value:.4g} -> {0.score:.4g}" if self.explained else "{0.name} {0.score:.4g}"
        scores = [base.format(each) for each in self.targets]
        more = len(scores) - _MOST_TARGETS
        told = ", ".join(scores[:_MOST_TARGETS]) + (f" and {more} more" if more > 0 else "")
        levels = ", ".join(f"{name} {_how_sure(level)}" for name, level in self.levels.items())
        how = f"{self.pruning.pruned_events} of {self.length} events pruned; levels: {levels or 'none'}"
        lines = [told, how if self.explained else "below the minimum score, not explained"]
        lines += [f"warning {each.reason}: {each.message}" for each in self.warnings]
        return "\n  ".join([f"<Explanation {self.name or '(dry run)'}", *lines]) + ">"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return explanation_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON has; times are ISO 8601 strings."""
        return export.to_dict(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Everything as JSON."""
        return export.to_json(self, indent)

    def to_csv(self) -> str:
        """CSV with a header, and a row for each attribution and target; docs/files.md describes the columns."""
        return export.to_csv(self)

    def to_frame(self) -> pd.DataFrame:
        """The table of `to_csv` as a DataFrame, with numbers, times and missing values as such. It needs pandas."""
        return frames.to_frame(self)

    def to_arrow(self) -> pa.Table:
        """The table of `to_csv` as a table of Arrow. It needs pyarrow."""
        return frames.to_arrow(self)

    def to_html(self, *, target: str | None = None) -> str:
        """One HTML file for people: the story, the history, figures, accuracy, and the record of how it was made.

        It needs the extra `report`, and shows one target; None takes the first one. Raises KeyError if the target was
        not explained.
        """
        return alert_html(self, target)

    @property
    def plot(self) -> AlertFigures:
        """Figures: `plot.pruning()`, `.events()`, `.features()` and `.cells()`. They need the extra `report`."""
        return AlertFigures(self)


def _how_sure(level: LevelAttributions) -> str:
    """Whether a level is exact, or what ended its sampling."""
    stop = level.quality.stop_reason
    ended = {
        StopReason.TARGET: "sampled",
        StopReason.BUDGET: "sampled to its budget",
        StopReason.DEADLINE: "sampled to its deadline",
    }
    return ended.get(stop, stop.value.replace("_", " "))
