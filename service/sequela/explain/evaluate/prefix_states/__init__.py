"""Runs a recurrent model from states, so that events shared by several coalitions are run only once."""
