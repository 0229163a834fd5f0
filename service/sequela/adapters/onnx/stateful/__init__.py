"""Recurrent models that can be run from states, and how a graph is rewritten for it."""
