"""Cohorts: many explained sequences in Parquet files, and reports over them."""
