"""Runs a recurrent model from states, so that events which coalitions share are run once."""
