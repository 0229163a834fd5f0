"""Assembles the explanation that is stored and returned."""
