"""The players of each level, as a map from cells to the players that own them.

Levels differ only in this map, so the same code plays events, features, cells and history blocks. Sources: TimeSHAP
§3.1, Eq. 6 and 7 (features, events) and §3.3, Eq. 8-12 (cells); docs/design.md §4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray


class PlayerKind(StrEnum):
    """The kinds of players."""

    EVENT = "event"
    FEATURE = "feature"
    CELL = "cell"
    EVENT_REST = "event_rest"
    FEATURE_REST = "feature_rest"
    OTHER = "other"
    PRUNED = "pruned"
    HISTORY = "history"
    STATIC = "static"


HISTORY_KINDS = (PlayerKind.PRUNED, PlayerKind.HISTORY)
"""The kinds of players that are blocks of pruned events."""


@dataclass(frozen=True, slots=True)
class Player:
    """The identity of a player.

    Attributes:
        kind: The kind of player.
        first_event: The oldest event t <= 0 of an EVENT, CELL, EVENT_REST, PRUNED or HISTORY player.
        last_event: The newest event of such a player; equal to `first_event` if it has a single event.
        feature: The feature index of a FEATURE, CELL or FEATURE_REST player.
    """

    kind: PlayerKind
    first_event: int | None = None
    last_event: int | None = None
    feature: int | None = None

    @property
    def events(self) -> int:
        """The number of events that the player spans; 0 if it does not belong to certain events."""
        if self.first_event is None or self.last_event is None:
            return 0
        return self.last_event - self.first_event + 1


@dataclass(frozen=True, slots=True, eq=False)
class Players:
    """The players of one game, and the map from cells to them.

    Attributes:
        names: The players. A player's number is its position in this tuple.
        grid: The owner of every event cell, (l, features).
        static: The owner of every static input, (static inputs,).
    """

    names: tuple[Player, ...]
    grid: NDArray[np.intp]
    static: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a sequence: the number of events l, of event features, and of static inputs."""

    length: int
    features: int
    static: int = 0


def event_players(extent: Extent, blocks: Sequence[int]) -> Players:
    """Returns the players of the event level (TimeSHAP Eq. 7).

    The blocks of pruned events come first, then every unpruned event, then one player for all static inputs.

    Args:
        extent: The size of the sequence.
        blocks: The sizes of consecutive blocks, oldest first. A single block is the pruned block P, several are
            history blocks. Empty if nothing was pruned.
    """
    pruned = sum(blocks)
    unpruned = range(pruned - extent.length + 1, 1)
    names = _block_players(extent, blocks)
    names += [Player(PlayerKind.EVENT, first_event=t, last_event=t) for t in unpruned]
    owners = np.arange(len(names), dtype=np.intp).repeat([*blocks, *(1 for _ in unpruned)])
    grid = np.broadcast_to(owners[:, None], (extent.length, extent.features))
    return _with_one_static_player(names, grid, extent)


def one_player(extent: Extent) -> Players:
    """Returns a single player that owns everything, for games in which only X and B as a whole matter."""
    grid = np.broadcast_to(np.zeros(1, dtype=np.intp), (extent.length, extent.features))
    return Players((Player(PlayerKind.OTHER),), grid, np.zeros(extent.static, dtype=np.intp))


def _block_players(extent: Extent, blocks: Sequence[int]) -> list[Player]:
    kind = PlayerKind.PRUNED if len(blocks) == 1 else PlayerKind.HISTORY
    edges = accumulate(blocks, initial=0)
    return [
        Player(kind, first_event=start - extent.length + 1, last_event=stop - extent.length)
        for start, stop in pairwise(edges)
    ]


def unpruned_feature_players(extent: Extent, pruned: int) -> Players:
    """Returns the players of the feature level in scope UNPRUNED (TimeSHAP Eq. 6).

    P comes first, if there is one, then every feature over the unpruned events, then every static input.
    """
    players = full_feature_players(extent)
    if not pruned:
        return players
    grid = players.grid + 1
    grid[:pruned] = 0
    return Players((_pruned_player(extent, pruned), *players.names), grid, players.static + 1)


def full_feature_players(extent: Extent) -> Players:
    """Returns the players of the feature level in scope FULL_SEQUENCE (TimeSHAP Eq. 6).

    Every feature over all events comes first, then every static input.
    """
    features = np.arange(extent.features + extent.static, dtype=np.intp)
    names = tuple(Player(PlayerKind.FEATURE, feature=int(feature)) for feature in features)
    grid = np.tile(features[: extent.features], (extent.length, 1))
    return Players(names, grid, features[extent.features :])


def cell_players(extent: Extent, pruned: int, events: Sequence[int], features: Sequence[int]) -> Players:
    """Returns the players of the cell level (TimeSHAP Eq. 8-12).

    In this order: P, the cells C* of E* × F*, the rest E' of each relevant event, the rest F' of each relevant feature,
    all other cells C', and one player for all static inputs. Empty groups are left out.

    Args:
        extent: The size of the sequence.
        pruned: The number of pruned events.
        events: The relevant events E*, as t <= 0; none of them is pruned.
        features: The relevant event features F*, as indices.
    """
    rows = [t + extent.length - 1 for t in events]
    names = [_pruned_player(extent, pruned)] if pruned else []
    # -1 marks cells that have no owner yet.
    owner = np.full((extent.length, extent.features), -1, dtype=np.intp)
    owner[:pruned] = 0

    def add(player: Player, row: int | slice, column: int | slice) -> None:
        """Assigns to a player all cells of these rows and columns that have no owner yet."""
        wanted = owner[row, column]
        free = wanted == -1
        if free.any():
            owner[row, column] = np.where(free, len(names), wanted)
            names.append(player)

    everything = slice(None)
    # The order matters: each group gets the cells that earlier groups did not take.
    for t, row in zip(events, rows, strict=True):
        for feature in features:
            add(Player(PlayerKind.CELL, t, t, feature), row, feature)
    for t, row in zip(events, rows, strict=True):
        add(Player(PlayerKind.EVENT_REST, t, t), row, everything)
    for feature in features:
        add(Player(PlayerKind.FEATURE_REST, feature=feature), everything, feature)
    add(Player(PlayerKind.OTHER), everything, everything)
    return _with_one_static_player(names, owner, extent)


def _pruned_player(extent: Extent, pruned: int) -> Player:
    return Player(PlayerKind.PRUNED, first_event=1 - extent.length, last_event=pruned - extent.length)


def _with_one_static_player(names: Sequence[Player], grid: NDArray[np.intp], extent: Extent) -> Players:
    static = np.full(extent.static, len(names), dtype=np.intp)
    extra = (Player(PlayerKind.STATIC),) if extent.static else ()
    return Players((*names, *extra), grid, static)
