"""Explains many different alerts as in production, with this version of Sequela and with an earlier one beside it."""
