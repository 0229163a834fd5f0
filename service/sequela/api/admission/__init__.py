"""Decides which explanations are admitted, in which order, and how long each may take."""
