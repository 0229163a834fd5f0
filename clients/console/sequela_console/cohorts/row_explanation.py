"""Turns a row of a cohort back into the explanation that it was written from, as far as the row has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import hypot, nan
from typing import Any

from sequela_client.attributions import (
    NORMAL_95,
    Attribution,
    LevelAttributions,
    PlayerKind,
    Quality,
    StopReason,
)
from sequela_client.cohort import schema
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import (
    Cost,
    EventValues,
    ExplanationWarning,
    Feature,
    Pruning,
    PruningPoint,
    Reason,
    SequenceState,
    TargetScore,
    Verdict,
)
from sequela_client.inputs import EventInfo
from sequela_client.options import UsedOptions

from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.warning_texts import warning_text

Row = Mapping[str, Any]

_NO_QUALITY = Quality(StopReason.NOT_COMPUTED, "", 0, 0, 0.0, 0.0, 0, False, (), 0.0, "")
_NO_COST = Cost(0, 0, 0, {}, False, 0, 0)
# What `sequela explain-all` asks for if the question names no link.
_DEFAULT_LINK = "identity"


def explanation_of(cohort: OpenCohort, row: Row, written: datetime) -> Explanation:
    """Returns the explanation of a row.

    Args:
        cohort: the cohort.
        row: one of its rows.
        written: when its file was written, since rows do not say when they were explained.
    """
    target = _target(cohort, row)
    return Explanation(
        name=str(row["explanation"] or ""),
        create_time=written,
        caller_id=str(row["id"]),
        labels=dict(row["labels"] or ()),
        model=str(row["model"] or ""),
        model_digest=str(row["model_digest"] or ""),
        background=str(row["background"] or ""),
        background_digest=str(row["background_digest"] or ""),
        length=int(row["length"] or 0),
        targets=(target,),
        explained=row["status"] == schema.EXPLAINED,
        pruning=_pruning(row),
        levels=dict(_levels(row)),
        options=_options(cohort, row),
        feature_info=tuple(
            Feature(each.name, each.label, each.unit, each.description, each.static)
            for each in cohort.features
        ),
        event_values=tuple(_event_values(cohort, row)),
        static_values={},
        cost=_NO_COST,
        method_version=str(row["method_version"] or ""),
        cut_short=bool(row["cut_short"]),
        warnings=tuple(ExplanationWarning(each, warning_text(each)) for each in row["warnings"] or ()),
        output_count=1,
        reasons_by_target={target.name: tuple(_reasons(row, target.name))},
        event_weights=tuple(reversed(row["event_weights"] or ())),
        sequence_state=SequenceState.NOT_KEPT,
    )


def _target(cohort: OpenCohort, row: Row) -> TargetScore:
    return TargetScore(
        name=str(row["target"] or cohort.target.name),
        base_value=_number(row["base_value"]),
        score=_number(row["score"]),
        raw_base_value=_number(row["raw_base_value"]),
        raw_score=_number(row["raw_score"]),
        label=cohort.target.label,
    )


def _number(value: float | None) -> float:
    return nan if value is None else float(value)


def _pruning(row: Row) -> Pruning:
    held: Row = row["pruning"] or {}
    known = held.get("value") is not None
    verdict = held.get("verdict")
    return Pruning(
        pruned_events=int(row["pruned_events"] or 0),
        tolerances=() if held.get("tolerance") is None else (held["tolerance"],),
        scan_complete=bool(held.get("scan_complete", True)),
        curve=tuple(PruningPoint(each["t"], (each["importance"],)) for each in held.get("curve") or ()),
        values=(held["value"],) if known else (),
        standard_errors=(held["standard_error"] or 0.0,) if known else (),
        verdicts=(Verdict(verdict),) if verdict else (),
        history_values=(sum(each["value"] for each in row["history"]),) if row["history"] else (),
        quality=None,
    )


def _levels(row: Row) -> Iterator[tuple[str, LevelAttributions]]:
    """Yields the levels that the row has. The pruned events are a player of each."""
    qualities: Row = row["quality"] or {}
    for name, players in (("event", _events), ("feature", _features), ("cell", _cells)):
        found = players(row)
        if found is not None:
            held = qualities.get(name)
            yield name, LevelAttributions((*_pruned(row), *found), _quality(held) if held else _NO_QUALITY)


def _pruned(row: Row) -> Iterator[Attribution]:
    pruning = _pruning(row)
    # Blocks of the history take the place of the pruned events in their level.
    if pruning.pruned_events and pruning.values:
        oldest = 1 - int(row["length"])
        yield Attribution(
            PlayerKind.PRUNED,
            pruning.values,
            pruning.standard_errors,
            first_t=oldest,
            last_t=oldest + pruning.pruned_events - 1,
        )


def _events(row: Row) -> list[Attribution] | None:
    if row["events"] is None:
        return None
    history = [
        _player(PlayerKind.HISTORY, each, first_t=each["first_t"], last_t=each["last_t"])
        for each in row["history"] or ()
    ]
    events = [_player(PlayerKind.EVENT, each, t=each["t"]) for each in row["events"]]
    # Files have the latest event first, and levels have it last.
    return [*reversed(history), *reversed(events), *_static(row)]


def _features(row: Row) -> list[Attribution] | None:
    if row["features"] is None:
        return None
    return [
        *(_player(PlayerKind.FEATURE, each, feature=each["feature"]) for each in row["features"]),
        *_static(row),
    ]


def _cells(row: Row) -> list[Attribution] | None:
    if row["cells"] is None:
        return None
    return [
        _player(PlayerKind(each["kind"]), each, t=each["t"], feature=each["feature"])
        for each in row["cells"]
        # The pruned events have their place at the front already.
        if each["kind"] != PlayerKind.PRUNED
    ]


def _static(row: Row) -> Iterator[Attribution]:
    if row["static_value"] is not None:
        error = row["static_standard_error"] or 0.0
        yield Attribution(PlayerKind.STATIC, (row["static_value"],), (error,))


def _player(kind: PlayerKind, held: Row, **where: Any) -> Attribution:
    return Attribution(kind, (held["value"],), (held["standard_error"] or 0.0,), **where)


def _quality(held: Row) -> Quality:
    return Quality(
        stop_reason=StopReason(held["stop_reason"]),
        detail="",
        players=held["players"] or 0,
        coalitions=held["coalitions"] or 0,
        largest_standard_error=held["largest_standard_error"] or 0.0,
        additivity_residual=held["additivity_residual"] or 0.0,
        clipped_coalitions=0,
        selection_truncated=False,
        near_misses=(),
        seconds=0.0,
        estimator=held["estimator"] or "",
        null_players=held["null_players"] or 0,
    )


def _options(cohort: OpenCohort, row: Row) -> UsedOptions:
    """Returns the options: what the run asked for, and what the row says of its own."""
    asked: Row = cohort.rows.database.question.get("options") or {}
    tolerance = (row["pruning"] or {}).get("tolerance")
    return UsedOptions(
        levels=tuple(name for name in ("event", "feature", "cell") if row[f"{name}s"] is not None),
        feature_scope=str(asked.get("feature_scope", "unpruned")),
        pruning_tolerances=() if tolerance is None else (tolerance,),
        cell_thresholds=(),
        top_k_events=asked.get("top_k_events"),
        top_k_features=asked.get("top_k_features"),
        max_coalitions=int(asked.get("max_coalitions", 32_768)),
        target_standard_errors=(),
        seed=int(row["seed"] or 0),
        refine_history=bool(asked.get("refine_history")),
        minimum_score=asked.get("minimum_score"),
        full_pruning_curve=bool(asked.get("full_pruning_curve")),
        link=str(asked.get("link", _DEFAULT_LINK)),
        output_event=0,
        estimator=str(asked.get("estimator", "regression")),
    )


def _event_values(cohort: OpenCohort, row: Row) -> Iterator[EventValues]:
    """Yields the displayed values, the latest event first. Only the latest one's time is known."""
    names = [each.name for each in cohort.features]
    for each in sorted(row["event_values"] or (), key=lambda held: -held["t"]):
        texts = {name: text for name, text in zip(names, each["values"], strict=False) if text}
        info = EventInfo(time=row["time"]) if each["t"] == 0 and row["time"] else EventInfo()
        yield EventValues(each["t"], texts, info)


def _reasons(row: Row, target: str) -> Iterator[Reason]:
    """Yields the reasons with their ranks: tied ones share that of the first of them, as in the service's answers."""
    rank, before = 0, None
    for place, each in enumerate(row["reasons"] or (), start=1):
        tied = before is not None and _tied(before, each)
        rank = rank if tied else place
        before = each
        yield Reason(
            text=each["text"],
            kind=_reason_kind(each),
            value=each["value"],
            standard_error=each["standard_error"] or 0.0,
            rank=rank,
            tied=tied,
            t=each["t"],
            feature=each["feature"],
            target=target,
            template=each["template"] or "",
            template_version="",
        )


def _tied(stronger: Row, weaker: Row) -> bool:
    """Returns whether two reasons of the same direction are equally strong within their errors."""
    error = hypot(stronger["standard_error"] or 0.0, weaker["standard_error"] or 0.0)
    same_direction = stronger["value"] * weaker["value"] > 0
    return bool(same_direction and abs(stronger["value"] - weaker["value"]) <= NORMAL_95 * error)


def _reason_kind(held: Row) -> PlayerKind:
    if held["feature"] is None:
        return PlayerKind.EVENT
    return PlayerKind.FEATURE if held["t"] is None else PlayerKind.CELL
