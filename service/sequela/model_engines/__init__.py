"""The operator's models in processes of their own: what such a process does, and how the server uses it."""
