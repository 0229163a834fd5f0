"""Checks and converts the arrays that a caller sent to the form that a model takes."""
