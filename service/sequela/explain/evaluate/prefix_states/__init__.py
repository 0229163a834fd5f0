"""Coalitions that share their first events: a recurrent model runs what is common once."""
