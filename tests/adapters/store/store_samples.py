"""Explanations and backgrounds to store, and an observer that keeps its records."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
from sequela.adapters.store.ports import Record as StoreRecord
from sequela.explain.background import Background, StoredBackground
from sequela.explain.explanation import (
    Attribution,
    Cost,
    EventValues,
    Explanation,
    Feature,
    LevelExplanation,
    LevelQuality,
    Pruning,
    PruningPoint,
    StopReason,
    TargetScore,
)
from sequela.explain.explanation_summary import summarize
from sequela.explain.kept_explanation import KeptSequence
from sequela.explain.options import FeatureScope, ResolvedOptions
from sequela.explain.request import EventInfo, NamedArray
from sequela.explain.schema import Link
from sequela.explain.telemetry import Record
from sequela.timeshap.players import PlayerKind
from sequela.timeshap.pruning import Verdict

NOON = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


class Heard:
    """An observer that keeps its records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def notice(self, record: Record) -> None:
        """Keeps one record."""
        self.records.append(record)

    def of(self, kind: type) -> list[Record]:
        """Returns the records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]


def background(seed: int = 0, rows: int = 1) -> Background:
    """Returns a background of three inputs, of every element type."""
    rng = np.random.default_rng(seed)
    return Background(
        rows={
            "x": rng.normal(size=(rows, 4)).astype(np.float32),
            "ids": rng.integers(-(2**62), 2**62, (rows, 2)),
            "flags": rng.integers(0, 2, (rows, 1)).astype(bool),
        },
        mean_event={
            "x": rng.normal(size=4).astype(np.float32),
            "ids": np.array([1, 2]),
            "flags": np.array([True]),
        },
        static={"client": rng.normal(size=3), "small": np.array([7], np.int32)},
    )


def stored(name: str = "models/m/backgrounds/b", seed: int = 0, rows: int = 1) -> StoredBackground:
    """Returns a named background."""
    return StoredBackground(name, background(seed, rows), NOON, sequences=12, averaged_events=345)


def kept_sequence(events: int = 4) -> KeptSequence:
    """Returns a sequence of every element type, with notes on its events."""
    rng = np.random.default_rng(events)
    arrays = {
        "x": rng.normal(size=(events, 3)).astype(np.float32),
        "wide": rng.normal(size=(events, 2)),
        "ids": rng.integers(-(2**62), 2**62, events),
        "small": rng.integers(0, 9, (events, 1)).astype(np.int32),
        "mask": rng.integers(0, 2, events).astype(bool),
        "": np.array(math.pi),
    }
    columns = {"x": ("amount", "hour", "device"), "wide": ("a", "b")}
    inputs = (NamedArray(name, array, columns.get(name, ())) for name, array in arrays.items())
    infos = (EventInfo(f"t{n}", NOON, {"Amount": f"{n} €"} if n else {}) for n in range(events))
    return KeptSequence(tuple(inputs), tuple(infos))


def level(rng: np.random.Generator, players: int = 3) -> LevelExplanation:
    """Returns a level whose numbers use all their bits."""

    def numbers() -> tuple[float, ...]:
        return tuple(rng.normal(size=2).tolist())

    attributions = tuple(
        Attribution(PlayerKind.CELL, numbers(), numbers(), -number, -number, f"f{number}", number == 1)
        for number in range(players)
    )
    quality = LevelQuality(
        StopReason.TARGET, players, 512, math.inf, 5e-324, "détail", 3, True, attributions[:1], 0.3
    )
    return LevelExplanation(attributions, quality)


def explanation(
    number: int = 0,
    *,
    caller_id: str = "",
    model: str = "models/m/versions/1",
    labels: dict[str, str] | None = None,
    cut_short: bool = False,
    players: int = 3,
    requested_by: str = "jwt:anna",
) -> Explanation:
    """Returns an explanation with every field set, made `number` seconds after noon."""
    rng = np.random.default_rng(number)
    return Explanation(
        name=f"explanations/e{number}",
        create_time=NOON + timedelta(seconds=number),
        caller_id=caller_id,
        labels=labels or {},
        model=model,
        model_digest="a" * 64,
        background="",
        background_digest="b" * 64,
        event_count=480,
        targets=(TargetScore("fraud", rng.normal(), -0.0, 1e-310, math.pi),),
        explained=True,
        pruning=Pruning(
            pruned_events=463,
            tolerance=(0.025, 0.1),
            scan_complete=False,
            curve=(PruningPoint(-17, (0.1, -1 / 3)),),
            attribution=(0.5,),
            standard_error=(0.01,),
            verdicts=(Verdict.EXCEEDS,),
            history_attribution=(0.31,),
            quality=level(rng).quality,
        ),
        levels={"event": level(rng, players), "feature": level(rng)},
        options=ResolvedOptions(
            levels=("event", "feature"),
            feature_scope=FeatureScope.UNPRUNED,
            pruning_tolerance=(0.025, 0.1),
            cell_threshold=(),
            top_k_events=5,
            top_k_features=None,
            max_coalitions=32_768,
            target_standard_error=(0.005,),
            seed=2**64 - 1,
            refine_history=True,
            minimum_score=None,
            full_pruning_curve=False,
            link=Link.LOGIT,
            output_event=-3,
        ),
        features=(Feature("amount", "Amount", "EUR"),),
        event_values=(EventValues(0, ("4,210.00",), EventInfo("t1", NOON, {"Amount": "4,210.00 €"})),),
        static_values=("34",),
        cost=Cost(1000, 10, 50_000, {"prune": 0.001}),
        cut_short=cut_short,
        requested_by=requested_by,
    )


def record_of(made: Explanation, body: str = "0" * 64) -> StoreRecord:
    """Returns the record of an explanation whose body has this digest."""
    now = datetime.now(UTC)
    return StoreRecord(summarize(made), made.cost, body, accepted=now, expires=now + timedelta(days=7))
