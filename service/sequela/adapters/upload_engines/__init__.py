"""Models from callers, each loaded and run in a process of its own, which this process does not trust."""
