"""What a caller sent, checked against what a model takes."""
