"""Recurrent models that can be run from states, and how a graph is rewritten for it."""

from __future__ import annotations


class NotStateful(Exception):
    """The graph cannot be run from states; the message says why, naming the node."""
