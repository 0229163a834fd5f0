"""The demo's model: a simulated bank whose accounts are taken over, and a GRU trained to catch it."""
