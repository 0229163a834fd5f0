"""Models that run on another server: allowed addresses, protocols, and limits on calls."""
