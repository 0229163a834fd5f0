"""Reports over a cohort. Each is a function that returns a pyarrow Table; DuckDB computes the numbers."""
