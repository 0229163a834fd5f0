"""Files that record how explanations were computed, for numpy and pandas (docs/debugging.md describes them)."""
