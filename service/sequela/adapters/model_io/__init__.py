"""What a model takes and gives, wherever it runs: its signature, its schema, tensors in and scores out."""
