"""Simulated customers of a maintenance service, and a model that says who will not renew the contract."""
