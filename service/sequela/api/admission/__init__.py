"""Decides which explanations are let in, who goes first, and how long each may take."""
