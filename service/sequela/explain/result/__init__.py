"""Assembles the explanation that is stored and returned, with its warnings and the values that people read."""
