"""Draws the reports of a cohort, each with one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequela_client.cohort.reports.events import event_density
from sequela_client.cohort.reports.features import feature_density
from sequela_client.plots import cohort as distributions
from sequela_client.plots import event_weights as weights
from sequela_client.plots import intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sequela_client.cohort.dataset import Cohort


@dataclass(frozen=True, slots=True)
class CohortPlots:
    """Draws reports as matplotlib Figures, which a notebook shows. Each method has the name of its report."""

    cohort: Cohort

    def events(self, limit: int = 50) -> Figure:
        """Attributions by index of the event (TimeSHAP, Figure 3)."""
        return distributions.event_distribution(self.cohort.events(limit), event_density(self.cohort, limit))

    def event_weights(self, limit: int = 50) -> Figure:
        """The model's own weights by index of the event, and their correlation with attributions, for each variant."""
        return weights.event_weights(self.cohort.event_weights(limit), self.cohort.event_weight_agreement())

    def features(self, threshold: float = 0.01) -> Figure:
        """Attributions by feature (TimeSHAP, Figure 4)."""
        table, density = self.cohort.features(threshold), feature_density(self.cohort)
        return distributions.feature_distribution(table, density, self.labels)

    def pruning(self, tolerances: tuple[float, ...] | None = None, coalitions: int = 32_768) -> Figure:
        """Lengths and accuracy by pruning tolerance, beside the paper's (TimeSHAP, Table 1)."""
        return distributions.pruning_table(self.cohort.pruning(tolerances, coalitions))

    def first_positive(self) -> Figure:
        """Where the first positive predictions are."""
        return distributions.first_positive(self.cohort.first_positive())

    def fairness(
        self, feature: str, by: str, threshold: float = 0.5, outcome: str | None = None, groups: int = 5
    ) -> Figure:
        """A feature's attribution and the rates of positive predictions and false positives by group."""
        table = self.cohort.fairness(feature, by, threshold, outcome, groups)
        return intervals.fairness(table, self.labels.get(feature, feature), self.labels.get(by, by))

    def drift(
        self,
        by: str | None = None,
        before: str | None = None,
        after: str | None = None,
        later: Cohort | None = None,
    ) -> Figure:
        """Changes of scores and attributions between two periods."""
        return intervals.drift(self.cohort.drift(by, before, after, later), self.labels)

    def comparison(self, other: Cohort) -> Figure:
        """Mean differences of attributions on the same sequences."""
        found = self.cohort.compare(other)
        return intervals.comparison(found.features, self.labels, found.names)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the features, by their names."""
        return {each.name: each.label for each in self.cohort.database.features}
