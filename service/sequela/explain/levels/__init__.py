"""The levels of an explanation: one module for each, and the registry that lists them."""
