"""The command `sequela`: serve, explain, demo. Only here are click and rich known."""
