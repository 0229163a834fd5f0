"""Explanations that the shared store is owed, in a file of this server until they are sent."""
