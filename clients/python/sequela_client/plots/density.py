"""Strips that show how many sequences have which attribution, in place of a dot for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.extras import require
from sequela_client.plots.style import COOL, NEUTRAL, WARM

# A bin with anything in it is at least this visible, however crowded the others of its strip are.
FAINTEST = 0.12


@dataclass(frozen=True, slots=True)
class Strips:
    """Strips of equal bins, one for each group.

    Args:
        image: colours with transparency, (bins, groups, 4), the lowest bin first. Darker is more; the most
            frequent bin of a strip with all sequences is opaque.
        low: the lower edge of the lowest bin.
        high: the upper edge of the highest bin.
    """

    image: NDArray[np.float64]
    low: float
    high: float

    @classmethod
    def of(cls, density: Any, group: str, order: Sequence[Any]) -> Strips:
        """Strips of a Table of counts (group, bin, lower, upper, n), in this order of the groups."""
        columns = {name: density[name].to_pylist() for name in (group, "bin", "lower", "upper", "n")}
        places = {each: place for place, each in enumerate(order)}
        bins = columns["bin"] or [0]
        first = min(*bins, -1)
        counts = np.zeros((max(*bins, 0) - first + 1, max(len(order), 1)))
        for name, place, n in zip(columns[group], columns["bin"], columns["n"], strict=True):
            if name in places:
                counts[place - first, places[name]] = n
        width = columns["upper"][0] - columns["lower"][0] if columns["lower"] else 1.0
        return cls(_coloured(counts, first), first * width, (first + len(counts)) * width)


def _coloured(counts: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    to_rgb = require("matplotlib.colors", "report").to_rgb
    signs = np.arange(len(counts)) + first
    # The two bins at 0 hold attributions of either sign that amount to nothing.
    colours = [NEUTRAL if sign in (-1, 0) else WARM if sign > 0 else COOL for sign in signs]
    image = np.zeros((*counts.shape, 4))
    image[..., :3] = np.array([to_rgb(each) for each in colours])[:, None, :]
    # A strip of few sequences is fainter, so that one sequence does not look like many.
    sequences = counts.sum(axis=0, keepdims=True)
    share = counts / np.maximum(counts.max(axis=0, keepdims=True), 1) * sequences / max(sequences.max(), 1)
    # The square root keeps rare values visible beside a crowd.
    image[..., 3] = np.where(counts > 0, FAINTEST + (1 - FAINTEST) * np.sqrt(share), 0)
    return image


def with_gaps(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The image of strips, (bins, groups, 4), eight pixels wide each, of which the outer ones are transparent."""
    wide = np.repeat(image, 8, axis=1)
    wide[:, ::8, 3] = 0
    wide[:, 7::8, 3] = 0
    return wide
