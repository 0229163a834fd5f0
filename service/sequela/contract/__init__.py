"""Explanations in the form of `sequela.v1`: the bytes that are stored are those that are sent."""
