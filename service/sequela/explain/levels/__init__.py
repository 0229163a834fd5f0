"""The levels of an explanation: one module per level, and the registry that lists them."""
