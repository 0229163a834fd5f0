"""Cohorts: figures, the table of events behind grid and graphs, and the sequences behind a mark."""
