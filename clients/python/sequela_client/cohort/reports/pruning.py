"""Lengths and accuracy by pruning tolerance (TimeSHAP §4.1, Table 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, log2
from typing import TYPE_CHECKING, Any

from sequela_client.cohort import sql
from sequela_client.cohort.errors import NotInCohort
from sequela_client.errors import CallerError

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort

# The RSD leaves out players whose mean attribution over the seeds is smaller, since σ/|μ| grows without bound as μ
# approaches 0.
SMALLEST_MEAN = 0.01


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A column of the paper's Table 1: lengths in events, a share, and the RSD over 10 runs."""

    mean_length: float
    median_length: float
    max_length: int
    exact_share: float
    rsd: float


# By tolerance; 0 is "Original".
PAPER = {
    0.0: PaperColumn(182.1, 138.5, 2187, 0.100, 1.71),
    0.005: PaperColumn(69.0, 33.0, 2171, 0.273, 1.19),
    0.0075: PaperColumn(58.4, 27.0, 1376, 0.327, 1.17),
    0.01: PaperColumn(50.0, 23.0, 1132, 0.365, 1.09),
    0.025: PaperColumn(32.9, 14.0, 1130, 0.583, 0.98),
    0.05: PaperColumn(19.7, 9.0, 879, 0.788, 0.68),
}
PAPER_TOLERANCES = tuple(tolerance for tolerance in PAPER if tolerance)


def pruning_table(
    cohort: Cohort, tolerances: Sequence[float] = PAPER_TOLERANCES, coalitions: int = 32_768
) -> Any:
    """Returns how many players the event level has at each pruning tolerance η, and how much its numbers vary.

    Lengths follow from the pruning curve by Algorithm 1: from the recent end, the first split with |w1| < η is the cut.
    The pruned block counts as one event. They do not depend on the tolerance and the seed of the rows.

    Without --full-pruning-curve, the curve of a row ends at the cut for the row's own tolerance. Where that does not
    show the cut for each of the wanted tolerances, the sequence is left out of all lines of the table, so that every
    line is about the same sequences.

    The relative standard deviation (RSD) needs variants that differ in their seed only, explained with that tolerance.
    It is the mean of σ/|μ| over all players (events, and the pruned block) of all sequences with |μ| ≥ 0.01, where σ is
    the sample standard deviation over the seeds and μ the mean. It is a sampling error, and is 0 where all
    explanations are exact.

    Args:
        cohort: the rows; of one checkpoint, but with any seeds and tolerances.
        tolerances: η, each above 0. A row for "original" (no pruning) is added.
        coalitions: how many coalitions may be evaluated; sequences of at most log2 of it are exactly computable.

    Returns:
        One row for each tolerance, "original" first: tolerance (null: original); sequences; incomplete, the sequences
        that are left out because their curve ends too soon; mean_length, median_length, max_length; exact_share, the
        share of sequences no longer than log2(coalitions); pruned_share, the share of sequences in which anything is
        pruned; rsd, rsd_players (players it is a mean over), rsd_seeds; the paper's numbers, null where it has none:
        paper_mean_length, paper_median_length, paper_max_length, paper_exact_share, paper_rsd.

    Raises:
        NotInCohort: all curves end too soon.
    """
    family = _family(cohort)
    wanted = sorted({float(each) for each in tolerances})
    for each in wanted:
        if not (isfinite(each) and each > 0):
            raise CallerError(f"tolerances: {each!r} is not a tolerance; allowed are numbers above 0")
    if coalitions < 1:
        raise CallerError(f"coalitions: {coalitions!r} is not allowed; it is at least 1")
    lengths = _lengths(family, [0.0, *wanted])
    table = family.query(
        "SELECT nullif(tolerances.tolerance, 0) AS tolerance, count(length) AS sequences, "
        "count(id) - count(length) AS incomplete, avg(length) AS mean_length, "
        "median(length) AS median_length, max(length) AS max_length, "
        f"count_if(length <= {floor(log2(coalitions))}) / nullif(count(length), 0) AS exact_share, "
        "count_if(cut > 0) / nullif(count(length), 0) AS pruned_share, any_value(rsd.rsd) AS rsd, "
        "any_value(rsd_players) AS rsd_players, any_value(rsd_seeds) AS rsd_seeds, "
        "any_value(paper.mean_length) AS paper_mean_length, any_value(paper.median_length) AS paper_median_length, "
        "any_value(paper.max_length) AS paper_max_length, any_value(paper.exact_share) AS paper_exact_share, "
        "any_value(paper.rsd) AS paper_rsd, min(id) FILTER (NOT known) AS unknown_id "
        f"FROM {_tolerances([0.0, *wanted])} AS tolerances "
        f"LEFT JOIN {lengths} AS lengths USING (tolerance) LEFT JOIN {_rsd(family)} AS rsd USING (tolerance) "
        f"LEFT JOIN {_paper()} AS paper USING (tolerance) GROUP BY tolerances.tolerance ORDER BY tolerances.tolerance"
    )
    _check_known(table)
    return table.drop_columns(["unknown_id"])


def length_rows(cohort: Cohort, tolerances: Sequence[float] = PAPER_TOLERANCES) -> sql.Relation:
    """Returns what `pruning_table` adds up, as a relation of SQL: id, tolerance (0: original) and length.

    There is a row for each sequence and tolerance; the length of sequences that the table leaves out is NULL.
    """
    return _lengths(_family(cohort), [0.0, *sorted({float(each) for each in tolerances})])


def _family(cohort: Cohort) -> Cohort:
    """Returns all variants that share the checkpoint of the chosen one, whatever their seeds and tolerances are."""
    # Seeds and tolerances are what the table is about. Checkpoints are different models.
    parts = tuple(part for part in cohort.variant_parts if part.startswith("checkpoint="))
    family = replace(cohort, variant_parts=parts)
    found = family.values(f"SELECT DISTINCT checkpoint FROM {family.explained} ORDER BY checkpoint")
    if len(found) > 1:
        raise CallerError(
            f"the cohort has {len(found)} checkpoints, and a report is about one of them; choose it with "
            f"cohort.variant(name) or --variant; they are {', '.join(f'checkpoint={each}' for each in found)}",
            reason="VARIANT_NOT_CHOSEN",
        )
    return family


def _tolerances(wanted: list[float]) -> sql.Relation:
    return f"(SELECT unnest([{', '.join(map(repr, wanted))}]::DOUBLE[]) AS tolerance)"


def _lengths(family: Cohort, wanted: list[float]) -> sql.Relation:
    """One row for each sequence and tolerance: cut (events pruned), length, and known (the curve shows this cut).

    Cut and length are NULL for all tolerances if the curve ends too soon for one of them. The point of the curve at t
    is the split after the event t, so that `explained events + t` events are older or at t.
    """
    # A curve does not depend on the seed or on η, so the longest curve of any variant of a sequence can be used.
    sequences = (
        "(SELECT id, max(length) AS events, max(coalesce(len(pruning.curve), 0)) AS points "
        f"FROM {family.explained} GROUP BY id)"
    )
    # The first split from the recent end that is below η is the one with the largest t.
    cuts = ", ".join(
        f"max(point.t) FILTER (abs(point.importance) < {tolerance!r}::DOUBLE)" for tolerance in wanted
    )
    splits = (
        f"(SELECT id, [{cuts}] AS cuts "
        f"FROM (SELECT id, unnest(pruning.curve) AS point FROM {family.explained}) GROUP BY id)"
    )
    cut = "CASE WHEN t IS NOT NULL THEN events + t WHEN tolerance = 0 OR points >= events - 1 THEN 0 END"
    # A sequence of one event has no split.
    unknown = f"list_resize([NULL::INTEGER], {len(wanted)}, NULL)"
    tolerances = f"unnest([{', '.join(map(repr, wanted))}]::DOUBLE[]) AS tolerance"
    found = (
        f"(SELECT id, events, tolerance, {cut} AS cut "
        f"FROM (SELECT id, events, points, {tolerances}, unnest(coalesce(cuts, {unknown})) AS t "
        f"FROM {sequences} LEFT JOIN {splits} USING (id)))"
    )
    complete = "bool_and(cut IS NOT NULL) OVER (PARTITION BY id)"
    return (
        "(SELECT id, tolerance, cut IS NOT NULL AS known, "
        f"CASE WHEN {complete} THEN cut END AS cut, "
        f"CASE WHEN {complete} THEN events - cut + CAST(cut > 0 AS INTEGER) END AS length FROM {found})"
    )


def _check_known(table: Any) -> None:
    lines = table.to_pylist()
    unknown = [line for line in lines if line["unknown_id"] is not None]
    if unknown and not lines[0]["sequences"]:
        first, count = unknown[0], lines[0]["incomplete"]
        many = "1 sequence" if count == 1 else f"all {count} sequences"
        raise NotInCohort(
            f"the pruning curve of {many} (such as {first['unknown_id']!r}) ends before it says where the cut for "
            f"the tolerance {first['tolerance']:g} is; run sequela explain-all with --full-pruning-curve, or choose "
            "larger tolerances",
            reason="CURVE_INCOMPLETE",
        )


def _rsd(family: Cohort) -> sql.Relation:
    """One row for each tolerance of which there are several seeds: rsd, rsd_players, rsd_seeds."""
    columns = "id, seed, pruning.tolerance AS tolerance"
    events = f"SELECT {columns}, unnest(events) AS player FROM {family.explained}"
    # The pruned block is a player too. Its t is NULL.
    block = (
        f"SELECT {columns}, NULL AS t, pruning.value AS value FROM {family.explained} "
        "WHERE pruned_events > 0 AND events IS NOT NULL AND pruning.value IS NOT NULL"
    )
    seeds = (
        f"(SELECT pruning.tolerance AS tolerance, count(DISTINCT seed) AS seeds FROM {family.explained} "
        "WHERE events IS NOT NULL GROUP BY ALL HAVING count(DISTINCT seed) > 1)"
    )
    # A sequence that failed with one of the seeds is left out.
    players = (
        "(SELECT tolerance, any_value(seeds) AS seeds, stddev_samp(value) AS sigma, abs(avg(value)) AS mean "
        f"FROM (SELECT id, seed, tolerance, player.t AS t, player.value AS value FROM ({events}) UNION ALL {block}) "
        f"JOIN {seeds} USING (tolerance) GROUP BY id, tolerance, t HAVING count(*) = any_value(seeds))"
    )
    return (
        "(SELECT tolerance, avg(sigma / mean) AS rsd, count(*) AS rsd_players, any_value(seeds) AS rsd_seeds "
        f"FROM {players} WHERE mean >= {SMALLEST_MEAN} GROUP BY tolerance)"
    )


def _paper() -> sql.Relation:
    rows = ", ".join(
        f"({tolerance!r}::DOUBLE, {column.mean_length}::DOUBLE, {column.median_length}::DOUBLE, {column.max_length}, "
        f"{column.exact_share}::DOUBLE, {column.rsd}::DOUBLE)"
        for tolerance, column in PAPER.items()
    )
    return f"(SELECT * FROM (VALUES {rows}) AS t(tolerance, mean_length, median_length, max_length, exact_share, rsd))"
