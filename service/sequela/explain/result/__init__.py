"""The explanation that is stored and returned, and how it is assembled."""
