"""Inference protocols over HTTP: JSON in, JSON out."""
