"""Lists the cells of every player at each level, by the definitions of the paper (sections 3.1 to 3.3).

Positions go from 0, the oldest event, to length - 1, the latest event, which is t = 0. `cut` is the number of oldest
events that are pruned into the block P. All static inputs together are one player, except at feature level, where each
static feature is a feature.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from brute_force import Attributions, Cell, Player


@dataclass(frozen=True)
class Layout:
    """The cells of a sequence, and the features that they belong to."""

    length: int
    events: Mapping[str, int]  # event input -> width
    static: Mapping[str, int]  # static input -> width
    features: Mapping[str, Mapping[str, Sequence[int]]]  # feature -> input -> columns

    def event(self, position: int) -> set[Cell]:
        return {(name, position, column) for name, width in self.events.items() for column in range(width)}

    def block(self, positions: Iterable[int]) -> set[Cell]:
        return {cell for position in positions for cell in self.event(position)}

    def column(self, feature: str, positions: Iterable[int]) -> set[Cell]:
        """Returns the cells of a feature at these positions, or its static cells, which have no position."""
        moments = list(positions)
        return {
            (name, moment, column)
            for name, columns in self.features[feature].items()
            for moment in (moments if name in self.events else [None])
            for column in columns
        }

    def varies(self, feature: str) -> bool:
        return all(name in self.events for name in self.features[feature])

    def position(self, t: int) -> int:
        return self.length - 1 + t

    def t(self, position: int) -> int:
        return position - self.length + 1


def present(key: tuple[object, ...], cells: Collection[Cell]) -> list[Player]:
    """Returns the player in a list, or an empty list if it has no cells."""
    return [Player(key, frozenset(cells))] if cells else []


def pruned(layout: Layout, cut: int) -> list[Player]:
    return present(("pruned",), layout.block(range(cut)))


def static(layout: Layout) -> list[Player]:
    cells = {(name, None, column) for name, width in layout.static.items() for column in range(width)}
    return present(("static",), cells)


def events(layout: Layout, cut: int = 0) -> list[Player]:
    """Returns P, every unpruned event ("event", t), and the static player."""
    unpruned = range(cut, layout.length)
    each = [player for p in unpruned for player in present(("event", layout.t(p)), layout.event(p))]
    return [*pruned(layout, cut), *each, *static(layout)]


def blocks(layout: Layout, history: Sequence[range], cut: int) -> list[Player]:
    """Returns the pruned events in blocks ("block", first t, last t), every later event, and the static player."""
    parts = [
        player
        for block in history
        for player in present(("block", layout.t(block[0]), layout.t(block[-1])), layout.block(block))
    ]
    return [*parts, *(player for player in events(layout, cut) if player.key != ("pruned",))]


def features(layout: Layout, cut: int = 0) -> list[Player]:
    """Returns, for the scope UNPRUNED, every feature ("feature", name) on unpruned events, and P."""
    unpruned = range(cut, layout.length)
    each = [
        player
        for name in layout.features
        for player in present(("feature", name), layout.column(name, unpruned))
    ]
    return [*pruned(layout, cut), *each]


def features_of_all_events(layout: Layout) -> list[Player]:
    """Returns, for the scope FULL_SEQUENCE, every feature on every event; nothing is pruned."""
    return features(layout, cut=0)


def cells(
    layout: Layout, cut: int, relevant_events: Collection[int], relevant_features: Collection[str]
) -> list[Player]:
    """Returns the groups of Eq. 8 to 11, and the static player.

    These are P; C*, the single cells ("cell", t, feature) of an event in E* and a feature in F*; E', ("event_rest", t),
    the other features of a relevant event; F', ("feature_rest", feature), a relevant feature at the other unpruned
    events; and C', ("other",). `relevant_events` has the t of unpruned events. Static features in `relevant_features`
    have no cells in the grid.
    """
    unpruned = range(cut, layout.length)
    moments = sorted(layout.position(t) for t in relevant_events)
    assert all(position in unpruned for position in moments), "a pruned event cannot be relevant"
    names = [name for name in layout.features if name in relevant_features and layout.varies(name)]
    elsewhere = [position for position in unpruned if position not in moments]
    crossings = [
        player
        for p in moments
        for name in names
        for player in present(("cell", layout.t(p), name), layout.column(name, [p]))
    ]
    named = {p: {cell for name in names for cell in layout.column(name, [p])} for p in unpruned}
    event_rests = [
        player for p in moments for player in present(("event_rest", layout.t(p)), layout.event(p) - named[p])
    ]
    feature_rests = [
        player for name in names for player in present(("feature_rest", name), layout.column(name, elsewhere))
    ]
    other = {cell for p in elsewhere for cell in layout.event(p) - named[p]}
    return [
        *pruned(layout, cut),
        *crossings,
        *event_rests,
        *feature_rests,
        *present(("other",), other),
        *static(layout),
    ]


def above(result: Attributions, kind: str, threshold: float) -> list[object]:
    """Returns E* ("event") or F* ("feature"): the players whose largest |attribution| over targets exceeds θ."""
    strength = {player.key: abs(row).max() for player, row in zip(result.players, result.values, strict=True)}
    return [key[1] for key in strength if key[0] == kind and strength[key] > threshold]


def strongest(result: Attributions, kind: str, count: int) -> list[object]:
    """Returns E* or F* by rank: the `count` players of a kind with the largest |attribution| over targets."""
    strength = {player.key: abs(row).max() for player, row in zip(result.players, result.values, strict=True)}
    ranked = sorted((key for key in strength if key[0] == kind), key=lambda key: -strength[key])
    return [key[1] for key in ranked[:count]]
