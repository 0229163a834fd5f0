"""Fewer rows for the same error: a Gaussian process as control variate."""
