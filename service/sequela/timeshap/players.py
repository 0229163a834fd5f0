"""Players: who owns which cells.

Events, features, cells and history blocks are one game with different owners, so this file is all that tells
them
apart: each builder fills the same map from cells to players. TimeSHAP §3.1 (events, features), §3.3 (cells),
Eq. 6-12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


class PlayerKind(StrEnum):
    """What a player stands for."""

    EVENT = "event"
    FEATURE = "feature"
    CELL = "cell"
    EVENT_REST = "event_rest"
    FEATURE_REST = "feature_rest"
    OTHER = "other"
    PRUNED = "pruned"
    HISTORY = "history"
    STATIC = "static"


@dataclass(frozen=True, slots=True)
class Player:
    """One player's name.

    first_event, last_event: the oldest and newest event t ≤ 0 of an EVENT, CELL, EVENT_REST (both the same),
    PRUNED or HISTORY player. feature: the feature index of a FEATURE, CELL or FEATURE_REST player.
    """

    kind: PlayerKind
    first_event: int | None = None
    last_event: int | None = None
    feature: int | None = None

    @property
    def events(self) -> int:
        """How many events the player spans (0 where it is not bound to events)."""
        if self.first_event is None or self.last_event is None:
            return 0
        return self.last_event - self.first_event + 1


@dataclass(frozen=True, slots=True, eq=False)
class Players:
    """The players of one game and the map from cells to them.

    grid: (l, features), the owner of every event cell. static: (static inputs,), the owner of each.
    """

    names: tuple[Player, ...]
    grid: NDArray[np.intp]
    static: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a sequence: events l, event features, static inputs."""

    length: int
    features: int
    static: int = 0


def event_players(extent: Extent, blocks: Sequence[int]) -> Players:
    """One player for every unpruned event, and one for each block of pruned events (TimeSHAP Eq. 7).

    blocks: sizes of consecutive blocks from the oldest event on; their sum is the number of pruned events.
    One block is the pruned block P, several are history blocks, none means that nothing was pruned. All
    static inputs together are the last player.
    """
    pruned = sum(blocks)
    kind = PlayerKind.PRUNED if len(blocks) == 1 else PlayerKind.HISTORY
    edges = np.concatenate([[0], np.cumsum(np.asarray(blocks, dtype=np.intp))]).astype(np.intp)
    names = [
        Player(kind, first_event=int(start) - extent.length + 1, last_event=int(stop) - extent.length)
        for start, stop in pairwise(edges)
    ]
    unpruned = range(pruned - extent.length + 1, 1)
    names += [Player(PlayerKind.EVENT, first_event=t, last_event=t) for t in unpruned]
    owners = np.concatenate(
        [np.repeat(np.arange(len(blocks)), blocks), len(blocks) + np.arange(len(unpruned))]
    ).astype(np.intp)
    grid = np.broadcast_to(owners[:, None], (extent.length, extent.features))
    return _with_one_static_player(names, grid, extent)


def unpruned_feature_players(extent: Extent, pruned: int) -> Players:
    """One player for every feature over the unpruned events, P (if any) first, one for each static input
    (Eq. 6).
    """
    players = full_feature_players(extent)
    if not pruned:
        return players
    grid = players.grid + 1
    grid[:pruned] = 0
    return Players((_pruned_player(extent, pruned), *players.names), grid, players.static + 1)


def full_feature_players(extent: Extent) -> Players:
    """One player for every feature over every event, and one for each static input (TimeSHAP §4.1, Eq. 6)."""
    features = np.arange(extent.features + extent.static, dtype=np.intp)
    names = tuple(Player(PlayerKind.FEATURE, feature=int(feature)) for feature in features)
    grid = np.tile(features[: extent.features], (extent.length, 1))
    return Players(names, grid, features[extent.features :])


def cell_players(extent: Extent, pruned: int, events: Sequence[int], features: Sequence[int]) -> Players:
    """The groups of cells of TimeSHAP Eq. 8-11: P, C*, E', F', C', then the static player; empty groups are
    left out.

    events: the relevant events E*, as t ≤ 0, all unpruned. features: the relevant event features F*, as
    indices.
    """
    rows = [t + extent.length - 1 for t in events]
    names = [_pruned_player(extent, pruned)] if pruned else []
    owner = np.full((extent.length, extent.features), -1, dtype=np.intp)
    owner[:pruned] = 0

    def claim(player: Player, mask: NDArray[np.bool_]) -> None:
        if mask.any():
            owner[mask] = len(names)
            names.append(player)

    def free(row: int | slice, column: int | slice) -> NDArray[np.bool_]:
        mask = np.zeros_like(owner, dtype=bool)
        mask[row, column] = owner[row, column] == -1
        return mask

    everything = slice(None)
    for t, row in zip(events, rows, strict=True):
        for feature in features:
            claim(Player(PlayerKind.CELL, t, t, feature), free(row, feature))
    for t, row in zip(events, rows, strict=True):
        claim(Player(PlayerKind.EVENT_REST, t, t), free(row, everything))
    for feature in features:
        claim(Player(PlayerKind.FEATURE_REST, feature=feature), free(everything, feature))
    claim(Player(PlayerKind.OTHER), free(everything, everything))
    return _with_one_static_player(names, owner, extent)


def _pruned_player(extent: Extent, pruned: int) -> Player:
    return Player(PlayerKind.PRUNED, first_event=1 - extent.length, last_event=pruned - extent.length)


def _with_one_static_player(names: Sequence[Player], grid: NDArray[np.intp], extent: Extent) -> Players:
    static = np.full(extent.static, len(names), dtype=np.intp)
    extra = (Player(PlayerKind.STATIC),) if extent.static else ()
    return Players((*names, *extra), grid, static)
