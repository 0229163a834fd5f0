"""Other explainers, each run by the Python of its own environment (scripts/peer_env.py)."""
