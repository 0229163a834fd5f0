"""Measures a server that has more to do than it can (`make soak SOAK_ARGS=--help`)."""
