"""The meaning of names of free axes. Exporters ask for such names, so most models have them."""

from __future__ import annotations

import re

from sequela.adapters.model_io.signature import AxisSize
from sequela.explain.schema import Axis

AXIS_WORDS: dict[Axis, frozenset[str]] = {
    Axis.TIME: frozenset(
        {"time", "times", "timestep", "timesteps", "seq", "sequence", "seqlen", "len", "length", "lengths"}
        | {"step", "steps", "event", "events", "frame", "frames", "window", "history", "tokens", "token"}
    ),
    Axis.BATCH: frozenset({"batch", "batches", "bs", "batchsize", "samples", "rows", "users", "none"}),
    Axis.FEATURES: frozenset(
        {"channel", "channels", "ch", "feature", "features", "feat", "dim", "columns", "variables"}
        | {"inputsize"}
    ),
}
AXIS_LETTERS: dict[str, Axis] = {
    **dict.fromkeys(("l", "t"), Axis.TIME),
    **dict.fromkeys(("n", "b"), Axis.BATCH),
    **dict.fromkeys(("c", "d", "f"), Axis.FEATURES),
}
"""Letters as the documentation of frameworks uses them: (N, L, H), (B, T, C)."""


def axis_meaning(axis: AxisSize) -> Axis | None:
    """Returns what an axis counts, by its name. Returns None if it has no name, or if the name is not clear."""
    if not isinstance(axis, str):
        return None
    words = [word for word in re.split(r"[^a-z]+", axis.lower()) if word]
    # Letters count only if they are the whole name, as in (N, L, H).
    if len(words) == 1 and words[0] in AXIS_LETTERS:
        return AXIS_LETTERS[words[0]]
    meanings = {meaning for meaning, known in AXIS_WORDS.items() if not known.isdisjoint(words)}
    return meanings.pop() if len(meanings) == 1 else None
