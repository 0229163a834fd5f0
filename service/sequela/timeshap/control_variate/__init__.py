"""The control variate: a Gaussian process that saves rows where rows are expensive."""
