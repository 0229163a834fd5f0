"""Figures of explanations, drawn with matplotlib. Nothing here is imported before a figure is asked for."""
