"""Explains one score, from the request to the explanation, and the ports to what this needs from outside."""
