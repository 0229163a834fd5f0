"""Plays one game: samples coalitions stage by stage and estimates attributions from their values."""
