"""Plays one game: which coalitions are evaluated, stage by stage, and how attributions follow from their values."""
