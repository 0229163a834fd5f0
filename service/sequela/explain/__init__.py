"""Explains one score, from request to explanation. `ports` declares what this needs from outside."""
