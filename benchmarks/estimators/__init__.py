"""Estimators of Shapley values, ours and those of others, on games whose Shapley values are known."""
