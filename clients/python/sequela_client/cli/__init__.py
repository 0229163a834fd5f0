"""The command `sequela`. Only this package imports click and rich."""
