"""From the values of coalitions to attributions: stages, sample, solution."""
