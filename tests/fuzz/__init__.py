"""Random models, run in engines: whatever a runtime makes of them, the front must not notice."""
