"""Keeps an index of the explanations that the service stores."""
