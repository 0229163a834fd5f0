"""The method in plain numpy: which coalitions to evaluate, and attributions from their values. It runs no model."""
