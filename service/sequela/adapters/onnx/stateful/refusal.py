"""Why a model is run whole, one short sentence for people to read."""

from __future__ import annotations


class LeftWhole(Exception):
    """The graph cannot be run from states; the message says why, naming the node."""
