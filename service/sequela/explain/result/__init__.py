"""The explanation that is stored and returned."""
