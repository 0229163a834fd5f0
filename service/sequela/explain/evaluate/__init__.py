"""Evaluates coalitions: whole, from states, or by an endpoint."""
