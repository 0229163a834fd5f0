"""The values of coalitions: one way to run them for each kind of model."""
