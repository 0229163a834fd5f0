"""Draws strips that are darker where more sequences have the attribution. A dot for each would hide the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.extras import require
from sequela_client.plots.style import COOL, NEUTRAL, WARM

# The least opacity of a bin that is not empty, however many values the other bins of its strip have.
FAINTEST = 0.12


@dataclass(frozen=True, slots=True)
class Strips:
    """Strips of equal bins, one for each group.

    Args:
        image: colours with opacity, (bins, groups, 4), the lowest bin first. Darker means more; the most frequent
            bin of a strip that has all sequences is opaque.
        low: the lower edge of the lowest bin.
        high: the upper edge of the highest bin.
    """

    image: NDArray[np.float64]
    low: float
    high: float

    @classmethod
    def of(cls, density: Any, group: str, order: Sequence[Any]) -> Strips:
        """Makes strips of a Table of counts (group, bin, lower, upper, n), with the groups in this order."""
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
    # The two bins beside 0 are grey: attributions so small have no direction.
    colours = [NEUTRAL if sign in (-1, 0) else WARM if sign > 0 else COOL for sign in signs]
    image = np.zeros((*counts.shape, 4))
    image[..., :3] = np.array([to_rgb(each) for each in colours])[:, None, :]
    # Strips of few sequences are fainter. Otherwise one sequence would look like many.
    sequences = counts.sum(axis=0, keepdims=True)
    share = counts / np.maximum(counts.max(axis=0, keepdims=True), 1) * sequences / max(sequences.max(), 1)
    # With a square root, rare values remain visible beside frequent ones.
    image[..., 3] = np.where(counts > 0, FAINTEST + (1 - FAINTEST) * np.sqrt(share), 0)
    return image


def with_gaps(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the image with strips eight pixels wide, whose outer pixels are transparent and keep them apart."""
    wide = np.repeat(image, 8, axis=1)
    wide[:, ::8, 3] = 0
    wide[:, 7::8, 3] = 0
    return wide
