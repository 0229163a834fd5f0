"""Draws figures of explanations with matplotlib, which is imported when the first figure is drawn."""
