"""A cohort: many explained sequences, and the reports over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from sequela_client.cohort import sql
from sequela_client.cohort.card import card, line
from sequela_client.cohort.database import Database
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.figures import CohortPlots
from sequela_client.cohort.report_page import report_html
from sequela_client.cohort.report_tables import ReportChoices
from sequela_client.cohort.reports import (
    comparison,
    drift,
    event_weights,
    events,
    fairness,
    features,
    first_positive,
    pruning,
    quality,
)
from sequela_client.cohort.reports.comparison import Comparison
from sequela_client.cohort.reports.drift import ScoreDrift
from sequela_client.errors import CallerError
from sequela_client.extras import require

# An error names at most this many variants.
_MOST_NAMED = 12


@dataclass(frozen=True, slots=True, repr=False)
class Cohort:
    """Explanations of many sequences. `Cohort.open` reads what `sequela explain-all` wrote.

    Reports return pyarrow Tables, whose `to_pandas` gives a DataFrame. DuckDB computes them from the files, so a cohort
    may be larger than memory. docs/cohorts.md describes the reports and the files.

    Args:
        database: the files.
        conditions: SQL conditions that all rows of this cohort meet.
        variant_parts: the parts of a variant's name that were chosen, such as "checkpoint=200".
    """

    database: Database
    conditions: tuple[str, ...] = ()
    variant_parts: tuple[str, ...] = ()

    @classmethod
    def open(cls, *paths: str | Path) -> Self:
        """Opens the folders of one or more runs, which must have the same features and target.

        Raises:
            CallerError: a path has no cohort, or the cohorts have different features or targets.
        """
        if not paths:
            raise CallerError("Cohort.open needs the folder of a cohort")
        cohort = cls(Database.open(paths))
        cohort._check_targets()
        cohort._check_keys()
        return cohort

    @property
    def rows(self) -> sql.Relation:
        """The rows of this cohort as SQL."""
        chosen = [
            f"list_contains(string_split(variant, ','), {sql.text(each)})" for each in self.variant_parts
        ]
        # If a caller's condition ends with a comment, the line break ends that comment before the bracket.
        conditions = "".join(f" AND ({each}\n)" for each in (*chosen, *self.conditions))
        return f"(SELECT * FROM {self.database.rows} WHERE true{conditions})"

    @property
    def explained(self) -> sql.Relation:
        """The rows that were explained, as SQL."""
        return f"(SELECT * FROM {self.rows} WHERE status = 'explained')"

    @property
    def table(self) -> Any:
        """All rows as a pyarrow Table. They must fit into memory."""
        return self.query(f"SELECT * FROM {self.rows} ORDER BY row, variant")

    def __len__(self) -> int:
        """The number of rows, including failed ones."""
        return int(self.value(f"SELECT count(*) FROM {self.rows}"))

    def query(self, query: str) -> Any:
        """Returns the result of a query as a pyarrow Table."""
        return self.database.table(query)

    def value(self, query: str) -> Any:
        """Returns the result of a query for one row and one column."""
        return self.query(query)[0][0].as_py()

    def values(self, query: str) -> list[Any]:
        """Returns the first column of the result of a query."""
        values: list[Any] = self.query(query)[0].to_pylist()
        return values

    def where(self, condition: str) -> Self:
        """Returns the rows that meet a condition in DuckDB's SQL, such as `score > 0.5 AND length > 10`.

        Raises:
            CallerError: the condition is not valid SQL, or names a column that cohorts do not have.
        """
        duckdb = require("duckdb", extra="cohort")
        chosen = replace(self, conditions=(*self.conditions, condition))
        try:
            # An argument of coalesce is one complete expression, so a condition cannot close the brackets around it.
            chosen.query(f"SELECT coalesce({condition}\n, false) FROM {chosen.rows} LIMIT 0")
        except duckdb.Error as error:
            raise CallerError(
                f"where: {condition!r} is not a condition on the rows of a cohort: {error}"
            ) from None
        return chosen

    def labelled(self, key: str, value: object) -> Self:
        """Returns the rows whose label has this value. Labels are texts, so 1 stands for "1".

        Raises:
            NotInCohort: no row has a label of this name.
        """
        self.check_label(key)
        return replace(self, conditions=(*self.conditions, f"{sql.label(key)} = {sql.text(str(value))}"))

    def variant(self, name: str) -> Self:
        """Returns the rows of a variant, named in full, as "checkpoint=200,seed=3", or in part, as "checkpoint=200".

        Raises:
            NotInCohort: there is no such variant.
        """
        chosen = replace(self, variant_parts=tuple(part.strip() for part in name.split(",")))
        # Likewise, an empty cohort has no variants.
        if not chosen.variants() and self.variants():
            raise NotInCohort(f"there is no variant {name!r}; the cohort has {_named(self.variants())}")
        return chosen

    def variants(self) -> list[str]:
        """Returns the names of all variants."""
        return self.values(f"SELECT DISTINCT variant FROM {self.rows} ORDER BY variant")

    def label_names(self) -> list[str]:
        """Returns the names of all labels."""
        return self.values(f"SELECT DISTINCT unnest(map_keys(labels)) AS name FROM {self.rows} ORDER BY name")

    def check_label(self, name: str) -> None:
        """Raises NotInCohort if no row has this label."""
        known = self.label_names()
        # An empty choice of rows has no labels, which is not a mistake of the caller.
        if name not in known and len(self):
            raise NotInCohort(f"no row has the label {name!r}; the labels are {', '.join(known) or 'none'}")

    def check_one_variant(self) -> None:
        """Raises CallerError if the rows are of several variants or models, whose numbers must not be mixed."""
        self.check_one_model()
        found = self.variants()
        if len(found) > 1:
            raise CallerError(
                f"the cohort has {len(found)} variants, and a report is about one of them; choose it with "
                f"cohort.variant(name) or --variant; they are {_named(found)}",
                reason="VARIANT_NOT_CHOSEN",
            )

    def check_one_model(self) -> None:
        """Raises CallerError if the rows of a variant are of several models or backgrounds."""
        # Each checkpoint is a variant and has its own model, so models are counted within a variant.
        found = self.query(
            "SELECT variant, count(DISTINCT model_digest) AS models, count(DISTINCT background_digest) AS backgrounds "
            f"FROM {self.explained} GROUP BY variant HAVING models > 1 OR backgrounds > 1 ORDER BY variant LIMIT 1"
        ).to_pylist()
        if found:
            raise CallerError(
                f"the rows are about {found[0]['models']} models and {found[0]['backgrounds']} backgrounds; choose one "
                "with cohort.where(\"model_digest = '…'\"); cohort.provenance() lists them",
                reason="VARIANT_NOT_CHOSEN",
            )

    def _check_keys(self) -> None:
        """Raises CallerError if two runs have the same sequence, which reports would count twice."""
        twice = self.query(
            f"SELECT id, variant FROM {self.rows} GROUP BY id, variant HAVING count(*) > 1 ORDER BY id LIMIT 1"
        ).to_pylist()
        if twice:
            raise CallerError(
                f"the sequence {twice[0]['id']!r} occurs more than once (variant {twice[0]['variant']!r}); open the "
                "folders one by one, and use compare or drift(later=…)"
            )

    def _check_targets(self) -> None:
        found = self.values(
            f"SELECT DISTINCT target FROM {self.explained} WHERE target IS NOT NULL ORDER BY target"
        )
        if len(found) > 1:
            raise CallerError(
                f"the rows explain {len(found)} targets ({_named(found)}), and a report is about one; run "
                "explain-all once for each target"
            )

    def events(self, limit: int = 50) -> Any:
        """Attributions by index of the event (TimeSHAP, Figure 3); see `reports.events.event_distribution`."""
        return events.event_distribution(self, limit)

    def event_weights(self, limit: int = 50) -> Any:
        """The model's own weights by index of the event and variant; see `reports.event_weights.event_weights`."""
        return event_weights.event_weights(self, limit)

    def event_weight_agreement(self) -> Any:
        """Their correlation with attributions; see `reports.event_weights.event_weight_agreement`."""
        return event_weights.event_weight_agreement(self)

    def features(self, threshold: float = 0.01) -> Any:
        """Attributions by feature (TimeSHAP, Figure 4); see `reports.features.feature_distribution`."""
        return features.feature_distribution(self, threshold)

    def constant_features(self) -> Any:
        """Features that contribute nothing; see `reports.features.constant_features`."""
        return features.constant_features(self)

    def latest_share(self, minimum_difference: float = 0.01) -> Any:
        """The share of the latest event in the score; see `reports.events.latest_share`."""
        return events.latest_share(self, minimum_difference)

    def first_positive(self) -> Any:
        """Where the first positive predictions are; see `reports.first_positive.first_positive`."""
        return first_positive.first_positive(self)

    def pruning(self, tolerances: tuple[float, ...] | None = None, coalitions: int = 32_768) -> Any:
        """Lengths and accuracy by pruning tolerance (TimeSHAP, Table 1); see `reports.pruning.pruning_table`."""
        return pruning.pruning_table(
            self, pruning.PAPER_TOLERANCES if tolerances is None else tolerances, coalitions
        )

    def fairness(
        self, feature: str, by: str, threshold: float = 0.5, outcome: str | None = None, groups: int = 5
    ) -> Any:
        """A feature's attribution and false positive rates by group; see `reports.fairness.fairness`."""
        return fairness.fairness(self, feature, by, threshold, outcome, groups)

    def drift(
        self,
        by: str | None = None,
        before: str | None = None,
        after: str | None = None,
        later: Cohort | None = None,
    ) -> Any:
        """Changes between two periods; see `reports.drift.drift`."""
        return drift.drift(*drift.periods(self, by, before, after, later))

    def score_drift(
        self,
        by: str | None = None,
        before: str | None = None,
        after: str | None = None,
        later: Cohort | None = None,
    ) -> ScoreDrift:
        """The population stability index of the scores; see `reports.drift.score_drift`."""
        return drift.score_drift(*drift.periods(self, by, before, after, later))

    def compare(self, other: Cohort) -> Comparison:
        """The same sequences with another model or background; see `reports.comparison.Comparison`."""
        return comparison.compare(self, other)

    def failed(self) -> Any:
        """Failed rows by reason; see `reports.quality.failed`."""
        return quality.failed(self)

    def quality(self) -> Any:
        """How accurate the explanations are, by level; see `reports.quality.quality`."""
        return quality.quality(self)

    def warnings(self) -> Any:
        """Warnings by code; see `reports.quality.warnings_by_code`."""
        return quality.warnings_by_code(self)

    def verdicts(self) -> Any:
        """Verdicts on the pruned events; see `reports.quality.verdicts`."""
        return quality.verdicts(self)

    def statuses(self) -> Any:
        """Rows by status; see `reports.quality.statuses`."""
        return quality.statuses(self)

    def provenance(self) -> Any:
        """Which models and backgrounds the rows are about; see `reports.quality.provenance`."""
        return quality.provenance(self)

    @property
    def plot(self) -> CohortPlots:
        """Figures of the reports; `cohort.plot.events()` returns a matplotlib Figure."""
        return CohortPlots(self)

    def to_html(self, **choices: Any) -> str:
        """The whole report as one HTML file; see `sections.ReportChoices` for its arguments."""
        return report_html(self, ReportChoices(**choices))

    def __repr__(self) -> str:
        """One line, for a terminal."""
        return line(self)

    def _repr_html_(self) -> str:
        """A few lines for a notebook."""
        return card(self)


def _named(variants: list[str]) -> str:
    """Returns the names for an error message. If there are many, only the first are named."""
    more = len(variants) - _MOST_NAMED
    return ", ".join(map(repr, variants[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
