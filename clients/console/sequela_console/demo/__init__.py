"""A console with alerts and cohorts in it, for people who want to try it."""
