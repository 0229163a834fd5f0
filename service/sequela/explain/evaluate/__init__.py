"""Evaluates coalitions: as whole sequences, from states, or by calling an endpoint."""
