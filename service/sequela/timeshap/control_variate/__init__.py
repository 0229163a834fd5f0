"""The control variate: a Gaussian process that reduces the number of rows if rows are expensive."""
