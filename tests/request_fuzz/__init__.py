"""Random requests to a running server: it must not crash, hang, grow, or take the blame for what callers send."""
