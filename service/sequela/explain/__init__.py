"""The hallway: one request from start to finish, and the ports to what it needs from outside."""
