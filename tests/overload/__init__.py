"""Measures a server that has more to do than it can (`python -m overload --help`, in the folder `tests`)."""
