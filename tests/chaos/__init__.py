"""Breaks what a server depends on while it answers, and counts what was lost, wrong or failed."""
