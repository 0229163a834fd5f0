"""Reports how reliable a cohort is: failures, accuracy, warnings and verdicts, and the models behind its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sequela_client.cohort.dataset import Cohort


LEVELS = ("event", "feature", "cell")


def statuses(cohort: Cohort) -> Any:
    """Rows by status ("explained", "below_minimum" or "failed"): status, n, share."""
    return cohort.query(
        f"SELECT status, count(*) AS n, n / sum(n) OVER () AS share FROM {cohort.rows} "
        "GROUP BY status ORDER BY n DESC, status"
    )


def failed(cohort: Cohort) -> Any:
    """Failed rows by reason: reason, n, share (of all rows), message (of the first one), ids (of the first three)."""
    return cohort.query(
        "SELECT reason, count(*) AS n, "
        f"count(*) / (SELECT count(*) FROM {cohort.rows}) AS share, "
        "arg_min(message, row) AS message, arg_min(id, row, 3) AS ids "
        f"FROM {cohort.rows} WHERE status = 'failed' GROUP BY reason ORDER BY n DESC, reason"
    )


def quality(cohort: Cohort) -> Any:
    """How accurate the explanations are, level by level.

    Standard errors here are sampling errors of single explanations: how much an attribution would change with another
    seed. They do not say how attributions differ between sequences.

    Returns:
        One row for each level that was asked for: level; n, the explanations that have it; not_computed, those that
        lack it, since there was no time; exact, target, budget, deadline: the shares among n of explanations whose
        sampling ended so (exact means that all coalitions were evaluated); median_standard_error,
        p95_standard_error and largest_standard_error of each explanation's largest standard error; mean_players;
        mean_coalitions; largest_residual, the largest |Σφ − (f(X) − f(B))|.
    """
    cohort.check_one_variant()
    levels = " UNION ALL ".join(_level(cohort, level, place) for place, level in enumerate(LEVELS))
    # The rows of a UNION have no order of their own.
    return cohort.query(f"SELECT * EXCLUDE (place) FROM ({levels}) ORDER BY place")


def _level(cohort: Cohort, level: str, place: int) -> str:
    shares = ", ".join(
        f"count_if(stop_reason = '{stop}') / nullif(count(*) FILTER (WHERE computed), 0) AS {stop}"
        for stop in ("exact", "target", "budget", "deadline")
    )
    # A level that was not computed has zeros.
    error, players, coalitions, residual = (
        f"CASE WHEN computed THEN {name} END"
        for name in ("largest_standard_error", "players", "coalitions", "additivity_residual")
    )
    return (
        f"(SELECT {place} AS place, '{level}' AS level, count(*) FILTER (WHERE computed) AS n, "
        f"count(*) FILTER (WHERE NOT computed) AS not_computed, {shares}, "
        f"median({error}) AS median_standard_error, quantile_cont({error}, 0.95::DOUBLE) AS p95_standard_error, "
        f"max({error}) AS largest_standard_error, avg({players}) AS mean_players, "
        f"avg({coalitions}) AS mean_coalitions, max({residual}) AS largest_residual "
        f"FROM (SELECT *, stop_reason <> 'not_computed' AS computed FROM (SELECT unnest(quality.{level}) "
        f"FROM {cohort.explained} WHERE quality.{level} IS NOT NULL)) HAVING count(*) > 0)"
    )


def warnings_by_code(cohort: Cohort) -> Any:
    """Warnings of the explained rows: code, n, share (of the explained rows)."""
    cohort.check_one_variant()
    return cohort.query(
        f"SELECT code, count(*) AS n, count(*) / (SELECT count(*) FROM {cohort.explained}) AS share "
        f"FROM (SELECT unnest(list_distinct(warnings)) AS code FROM {cohort.explained}) "
        "GROUP BY code ORDER BY n DESC, code"
    )


def verdicts(cohort: Cohort) -> Any:
    """Counts the verdicts on the pruned events of the explained rows.

    Returns:
        One row for each verdict (docs/pruning.md), null where nothing was pruned: verdict, n, share, mean_value and
        mean_absolute (of the attribution of the pruned block), mean_pruned_events.
    """
    cohort.check_one_variant()
    return cohort.query(
        "SELECT pruning.verdict AS verdict, count(*) AS n, n / sum(n) OVER () AS share, "
        "avg(pruning.value) AS mean_value, avg(abs(pruning.value)) AS mean_absolute, "
        f"avg(pruned_events) AS mean_pruned_events FROM {cohort.explained} "
        "GROUP BY ALL ORDER BY n DESC, verdict NULLS LAST"
    )


def provenance(cohort: Cohort) -> Any:
    """What was explained: variant, checkpoint, model, model_digest, background, background_digest, method_version,
    target, n (explained rows).
    """
    names = "variant, checkpoint, model, model_digest, background, background_digest, method_version, target"
    return cohort.query(
        f"SELECT {names}, count(*) AS n FROM {cohort.explained} GROUP BY ALL "
        "ORDER BY variant, n DESC, model_digest, background_digest"
    )
