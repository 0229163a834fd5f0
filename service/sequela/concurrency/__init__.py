"""Threads, deadlines and single flight. Nothing here knows what an explanation is."""
