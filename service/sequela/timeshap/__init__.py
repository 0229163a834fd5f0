"""The method in plain numpy: which coalitions to evaluate, and what follows from their values. It runs no model."""
