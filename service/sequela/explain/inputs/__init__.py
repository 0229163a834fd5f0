"""Checks what a caller sent against what a model takes."""
