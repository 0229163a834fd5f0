"""Threads, deadlines and calls at a time: nothing here knows what an explanation is."""
